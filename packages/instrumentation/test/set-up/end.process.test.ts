import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from '../support/program.ts'
import { program, sent, treeOf } from '../support/sent.ts'

const end = program('end.cjs')
const terminate = { name: 'SIGTERM', after: 'ready' } as const

test('a program that ends by itself keeps its exit code, and its spans are sent', async () => {
  const run = await runProgram(end, { args: ['code'] })
  assert.deepEqual([run.exitCode, run.stderr], [3, ''])
  assert.deepEqual(treeOf(run), [sent])
})

test('an uncaught error ends the program as without us', async () => {
  const run = await runProgram(end, { args: ['error'] })
  assert.equal(run.exitCode, 1)
  assert.match(run.stderr, /the application failed/)
})

test('a signal that nobody handles ends the program by that signal, after its spans are sent', async () => {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    const run = await runProgram(end, { args: ['signal'], signal: { ...terminate, name } })
    assert.deepEqual([run.exitCode, run.signal, run.stderr], [null, name, ''])
    assert.deepEqual(treeOf(run), [sent])
  }
})

test("a signal that the application handles is the application's, and what it sends last is sent too", async () => {
  const run = await runProgram(end, { args: ['handled'], signal: terminate })
  assert.deepEqual([run.exitCode, run.signal, run.stdout, run.stderr], [4, null, 'ready\nhandled\n', ''])
  const names = run.spans.map(({ name }) => name)
  assert.deepEqual(names, ['send orders', 'send last'])
})

test('a listener that counts the others of its signal finds itself alone', async () => {
  const run = await runProgram(end, { args: ['counted'], signal: terminate })
  assert.deepEqual([run.exitCode, run.stdout], [5, 'ready\nalone\n'])
})

test('a receiver that does not answer neither fails the program nor keeps it', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
  const run = await runProgram(end, { args: ['code'], env })
  assert.deepEqual([run.exitCode, run.stderr], [3, ''])
})
