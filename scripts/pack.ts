import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { repository } from './bootstrap/paths.mjs'

type Json = { [name: string]: unknown }

/**
 * Packs every public package into `folder` as `npm publish` would send it, from what `npm run build` has made.
 * Returns the tarballs' paths. The packed `package.json` has no development condition: `src` is not in the package.
 */
export function packAll(folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true })
  return readdirSync(join(repository, 'packages'))
    .filter((name) => readManifest(name).private !== true)
    .map((name) => pack(name, folder))
}

function pack(name: string, folder: string): string {
  const stage = mkdtempSync(join(tmpdir(), 'throughline-pack-'))
  try {
    const source = join(repository, 'packages', name)
    const { devDependencies: _, ...manifest } = readManifest(name)
    for (const file of stringsOf(manifest.files))
      cpSync(join(source, file), join(stage, file), { recursive: true })
    cpSync(join(repository, 'LICENSE'), join(stage, 'LICENSE'))
    writeFileSync(join(stage, 'package.json'), JSON.stringify(withoutSource(manifest), null, 2))
    const output = execFileSync(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(folder)],
      {
        cwd: stage,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    const [, file] = /"filename":\s*"([^"]+)"/.exec(output) ?? []
    if (file === undefined) throw new Error(`npm pack of ${name} named no file: ${output}`)
    return join(resolve(folder), file)
  } finally {
    rmSync(stage, { recursive: true })
  }
}

/** Drops the condition under which the workspace runs its TypeScript, wherever it stands (exports, imports). */
function withoutSource(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSource)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([name]) => name !== '@throughline/source')
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutSource(each)]))
}

function readManifest(name: string): Json {
  return JSON.parse(readFileSync(join(repository, 'packages', name, 'package.json'), 'utf8'))
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

if (import.meta.main) {
  const folder = process.argv[2] ?? join(repository, 'dist')
  for (const file of packAll(folder)) console.log(file)
}
