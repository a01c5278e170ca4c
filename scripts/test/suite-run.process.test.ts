import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { repository } from '../bootstrap/paths.mjs'
import type { SuiteResult } from '../suites/run.ts'

/** What a suite of the given files comes to; in a process of its own, as test runs do not nest. */
async function resultOf(
  files: Record<string, string>,
  { fileSeconds = 30 } = {},
): Promise<Pick<SuiteResult, 'passed' | 'failed' | 'skipped' | 'reason'>> {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-suite-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const suite = { name: 'one', brokers: false, limitMinutes: 1, fileSeconds }
    const script = `
      import { runSuite } from ${JSON.stringify(join(repository, 'scripts/suites/run.ts'))}
      const files = ${JSON.stringify(Object.keys(files))}
      const suite = ${JSON.stringify(suite)}
      const result = await runSuite(${JSON.stringify(folder)}, suite, files, new AbortController().signal)
      console.log(JSON.stringify({ passed: result.passed, failed: result.failed, skipped: result.skipped, reason: result.reason }))`
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    writeFileSync(join(folder, 'run.mjs'), script)
    const args = ['--disable-warning=ExperimentalWarning', join(folder, 'run.mjs')]
    const output = await new Promise<string>((done, failed) =>
      execFile(process.execPath, args, { env }, (error, stdout) => (error ? failed(error) : done(stdout))),
    )
    return JSON.parse(output.trim().split('\n').at(-1) ?? '')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('passed, failed and skipped tests are counted apart', async () => {
  const text = `import { test } from 'node:test'
    test('a', () => {})
    test('b', () => { throw new Error('no') })
    test('c', { skip: true }, () => {})`
  assert.deepEqual(await resultOf({ 'one.test.mjs': text }), { passed: 1, failed: 1, skipped: 1 })
})

test('a file that does not parse is a failed test', async () => {
  assert.deepEqual(await resultOf({ 'one.test.mjs': 'this is no code' }), {
    passed: 0,
    failed: 1,
    skipped: 0,
  })
})

test('a file without tests does not pass', async () => {
  const { reason, ...counts } = await resultOf({ 'one.test.mjs': 'export {}' })
  assert.deepEqual(counts, { passed: 0, failed: 1, skipped: 0 })
  assert.match(String(reason), /no tests in .*one\.test\.mjs/)
})

test('a file that hangs is killed after its time and named, and the files behind it run', async () => {
  const waits = `setInterval(() => {}, 1000)
    await new Promise(() => {})`
  const { reason, ...counts } = await resultOf(
    {
      'a-promise.test.mjs': `import { test } from 'node:test'
        test('waits for ever', async () => { ${waits} })`,
      'b-failed.test.mjs': `import { test } from 'node:test'
        test('fails', () => { throw new Error('no') })
        test('waits after it', async () => { ${waits} })`,
      'c-handle.test.mjs': `import { test } from 'node:test'
        test('leaves a timer', () => { setInterval(() => {}, 1000) })`,
      'd-loop.test.mjs': `import { test } from 'node:test'
        test('loops for ever', () => { for (;;); })`,
      'e-deaf.test.mjs': `import { test } from 'node:test'
        process.on('SIGTERM', () => {})
        test('is deaf', async () => { ${waits} })`,
      'f-behind.test.mjs': `import { test } from 'node:test'
        test('passes', () => {})`,
    },
    { fileSeconds: 3 },
  )
  // Of the file that failed before it hung, the failed test counts; of the others, the file itself.
  assert.deepEqual(counts, { passed: 2, failed: 5, skipped: 0 })
  const killed = reason?.replace(/after \d+ s/g, 'in time').split('; ')
  assert.deepEqual(killed?.sort(), [
    'a-promise.test.mjs was killed in time, in "waits for ever"',
    'b-failed.test.mjs was killed in time, in "waits after it"',
    'c-handle.test.mjs was killed in time',
    // A loop keeps from the runner which test it is in.
    'd-loop.test.mjs was killed in time',
    'e-deaf.test.mjs was killed in time, in "is deaf"',
  ])
})
