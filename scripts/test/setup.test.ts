import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { inLine } from '../bootstrap/packages.mjs'
import { provide, SetupError, withLock } from '../bootstrap/setup.mjs'

let folder = ''
const cacheBefore = process.env.THROUGHLINE_CACHE
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughline-setup-'))
  process.env.THROUGHLINE_CACHE = folder
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  if (cacheBefore === undefined) delete process.env.THROUGHLINE_CACHE
  else process.env.THROUGHLINE_CACHE = cacheBefore
})

/** Things that note the order in which they are provided. */
function things(order: string[]) {
  const made = new Set<string>()
  const thing = (name: string, needs: string[] = []) => ({
    title: name,
    needs,
    present: () => (made.has(name) ? 'here' : undefined),
    provide: async () => {
      order.push(name)
      made.add(name)
      return 'made'
    },
  })
  return { top: thing('top', ['middle', 'base']), middle: thing('middle', ['base']), base: thing('base') }
}

test('what a thing needs is provided before it, and only once', async () => {
  const order: string[] = []
  assert.equal(await provide(things(order), ['top', 'middle'], () => {}), true)
  assert.deepEqual(order, ['base', 'middle', 'top'])
})

test('each step and its time are printed, and nothing where all is in place', async () => {
  const all = things([])
  const first: string[] = []
  await provide(all, ['top'], (line) => first.push(line))
  assert.equal(first.filter((line) => /✓ (base|middle|top) +\d+\.\d s {2}made/.test(line)).length, 3)
  const second: string[] = []
  await provide(all, ['top'], (line) => second.push(line))
  assert.deepEqual(second, [])
})

test('what can be done without is said to be left out where it cannot be provided', async () => {
  const order: string[] = []
  const absent = {
    ...things(order).base,
    optional: true,
    provide: () => Promise.reject(new Error('no compiler')),
  }
  const lines: string[] = []
  assert.equal(
    await provide({ ...things(order), absent }, ['absent', 'top'], (line) => lines.push(line)),
    true,
  )
  assert.match(lines.join('\n'), /– base .* left out: no compiler/)
  assert.match(lines.join('\n'), /done in/)
})

test('a thing that cannot be provided is named with its reason and its remedy, and the others are still provided', async () => {
  const order: string[] = []
  const all = things(order)
  const broken = {
    title: 'broken',
    needs: [],
    present: () => undefined,
    provide: async () => {
      throw new SetupError('The thing', 'there is none', 'make one')
    },
  }
  const lines: string[] = []
  const waiting = { ...all.middle, title: 'waiting', needs: ['broken'] }
  const ok = await provide({ ...all, broken, waiting }, ['waiting', 'base'], (line) => lines.push(line))
  assert.equal(ok, false)
  assert.deepEqual(order, ['base'])
  const text = lines.join('\n')
  assert.match(text, /✗ broken .* The thing: there is none\n.*to put it right: make one/)
  assert.match(text, /✗ waiting .*left out: it needs broken/)
})

test('two processes never provide the same thing at once', async () => {
  let inside = 0
  const work = () =>
    withLock('one', async () => {
      assert.equal(++inside, 1)
      await new Promise((next) => setImmediate(next))
      inside--
    })
  await Promise.all([work(), work(), work()])
})

test('the lock of a process that died is taken over', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  mkdirSync(join(folder, 'locks'))
  writeFileSync(join(folder, 'locks/dead.pid'), String(pid))
  assert.equal(await withLock('dead', async () => 'done'), 'done')
  assert.equal(existsSync(join(folder, 'locks/dead.pid')), false)
})

test('node_modules is in line with the lock file only where every package is there in its version', () => {
  const write = (file: string, packages: object) =>
    writeFileSync(join(folder, file), JSON.stringify({ packages }))
  mkdirSync(join(folder, 'node_modules/a'), { recursive: true })
  const a = { version: '1.0.0', integrity: 'sha512-a' }
  const elsewhere = { version: '1.0.0', optional: true }
  write('package-lock.json', { '': {}, 'node_modules/a': a, 'node_modules/elsewhere': elsewhere })
  assert.equal(inLine(folder), false, 'npm has installed nothing yet')
  write('node_modules/.package-lock.json', { 'node_modules/a': a })
  assert.equal(inLine(folder), true)
  write('node_modules/.package-lock.json', { 'node_modules/a': { ...a, integrity: 'sha512-b' } })
  assert.equal(inLine(folder), false, 'another content')
  write('node_modules/.package-lock.json', { 'node_modules/a': a, 'node_modules/b': a })
  assert.equal(inLine(folder), false, 'one too many')
  write('node_modules/.package-lock.json', { 'node_modules/a': a })
  rmSync(join(folder, 'node_modules/a'), { recursive: true })
  assert.equal(inLine(folder), false, 'its folder was removed')
})
