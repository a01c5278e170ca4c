import assert from 'node:assert/strict'
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
