import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { repository } from '../bootstrap/paths.mjs'

const names = z.record(z.string(), z.string()).default({})
const entry = z.object({
  optionalDependencies: names,
  dependencies: names,
  resolved: z.string().optional(),
  link: z.boolean().optional(),
})
const lock = z
  .object({ packages: z.record(z.string(), entry) })
  .parse(JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')))

test('the lock file has an entry for every dependency, those of other platforms included', () => {
  // npm leaves out an optional package that its registry lacks, and `npm ci` then refuses the whole lock file.
  const missing = Object.entries(lock.packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !isLocked(path, name)),
  )
  assert.deepEqual(missing, [])
})

test('the lock file names no registry', () => {
  const registries = Object.entries(lock.packages).filter(
    ([, { resolved, link }]) => resolved !== undefined && !link,
  )
  assert.deepEqual(registries, [])
})

test('what the interop programs take from PyPI is pinned by version and hash, and names no registry', () => {
  const text = readFileSync(join(repository, 'tests/interop/python/requirements.txt'), 'utf8')
  const requirements = text.replaceAll('\\\n', ' ').trim().split('\n')
  assert.ok(requirements.length > 10)
  for (const line of requirements) assert.match(line, /^[\w-]+==[\w.]+ ( *--hash=sha256:[0-9a-f]{64})+$/)
})

test('what they take from Go modules has a sum for each, and no place of its own', () => {
  const read = (file: string) => readFileSync(join(repository, 'tests/interop/go', file), 'utf8')
  const required = [...read('go.mod').matchAll(/^\t(\S+) (v\S+)/gm)].map(
    ([, path, version]) => `${path} ${version}`,
  )
  assert.ok(required.length > 5)
  const sums = read('go.sum')
  assert.deepEqual(
    required.filter((module) => !sums.includes(`${module} h1:`) && !sums.includes(`${module}/go.mod h1:`)),
    [],
  )
  assert.doesNotMatch(read('go.mod'), /^replace|=>/m)
})

/** Looks a package up as Node does: beside the one that needs it, then in each folder above. */
function isLocked(path: string, name: string): boolean {
  const folders = path
    .split('/node_modules/')
    .map((_, index, parts) => parts.slice(0, index + 1).join('/node_modules/'))
  return [...folders, ''].some((folder) => join(folder, 'node_modules', name) in lock.packages)
}
