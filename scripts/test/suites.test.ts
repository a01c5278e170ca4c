import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { repository } from '../bootstrap/paths.mjs'
import { isGreen, type SuiteResult, summary } from '../suites/run.ts'
import { suites, testFiles } from '../suites/suites.ts'

const green: SuiteResult = {
  name: 'unit',
  files: 2,
  passed: 3,
  failed: 0,
  skipped: 0,
  absent: [],
  seconds: 1,
}

test('every test file of the repository belongs to one suite', () => {
  const all = testFiles(repository)
  assert.ok(all.includes('scripts/test/suites.test.ts'))
  for (const file of all) {
    const names = suites.filter((suite) => suite.files([file]).length > 0).map((suite) => suite.name)
    assert.equal(names.length, 1, `${file} is in ${names.join(', ') || 'none'}`)
  }
})

test('the kinds of tests go to their suites', () => {
  const suiteOf = (file: string) => suites.find((suite) => suite.files([file]).length > 0)?.name
  assert.equal(suiteOf('packages/core/test/event.test.ts'), 'unit')
  assert.equal(suiteOf('packages/kafka/test/publisher.brokers.test.ts'), 'brokers')
  assert.equal(suiteOf('packages/explorer-ui/test/page.browser.test.ts'), 'browser')
  assert.equal(suiteOf('packages/instrumentation/test/register.process.test.ts'), 'process')
  assert.equal(suiteOf('tests/pipeline.test.ts'), 'integration')
  assert.equal(suiteOf('tests/pipeline.brokers.test.ts'), 'integration')
  assert.equal(suiteOf('tests/interop/kafka.test.ts'), 'interop')
  assert.equal(suiteOf('tests/conformance/kafka.test.ts'), 'conformance')
  assert.equal(suiteOf('docs/guide.brokers.test.ts'), 'docs')
  // What is generated goes stale with any change of the code: the quick run is to say so.
  assert.equal(suiteOf('docs/reference.test.ts'), 'unit')
})

test('the last line says how many passed and failed, alone on its line', () => {
  const lines = summary([green, { ...green, name: 'brokers', failed: 2 }]).split('\n')
  assert.equal(lines.at(-1), '6 passed, 2 failed')
})

test('a suite without tests, with a skipped one or that ran out of time is a failure', () => {
  assert.equal(isGreen(green), true)
  for (const bad of [
    { ...green, reason: 'no test files' },
    { ...green, skipped: 1 },
    { ...green, failed: 1 },
  ]) {
    assert.equal(isGreen(bad), false)
    assert.match(summary([bad]), /\d passed, 1 failed$/)
  }
})

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

test('what needs data that are not here is no failure, and the summary says how much it is', () => {
  const result = { ...green, absent: ['../shared', '../shared'] }
  assert.equal(isGreen(result), true)
  assert.match(
    summary([result]),
    /^not run: 2 tests or groups of tests that need \.\.\/shared, which is not here$/m,
  )
})

test('a suite that was left out is named beside the sums', () => {
  const lines = summary([green], ['interop: THROUGHLINE_SKIP_INTEROP=1']).split('\n')
  assert.equal(lines.at(-3), 'left out: interop: THROUGHLINE_SKIP_INTEROP=1')
  assert.equal(lines.at(-1), '3 passed, 0 failed')
})

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
