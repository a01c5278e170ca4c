import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { SpanNode } from '@throughline/testkit'
import { REGISTER, runProgram } from './support/program.ts'
import { program, sent, treeOf } from './support/sent.ts'

const imported = (name: string) => ['--import', pathToFileURL(program(name)).href]
const outline = (nodes: readonly SpanNode[]): string[] =>
  nodes.flatMap(({ kind, name, children = [] }) => [
    `${kind} ${name}`,
    ...outline(children).map((line) => `  ${line}`),
  ])
const services = (spans: readonly { readonly service: string }[]) => spans.map(({ service }) => service)

describe('without an SDK, one is set up from the environment', () => {
  for (const [format, flag] of [
    ['cjs', '--import'],
    ['mjs', '--import'],
    ['mjs', '--require'],
  ] as const) {
    test(`${flag}, ${format}`, async () => {
      const run = await runProgram(program(`send.${format}`), {
        nodeArgs: [flag, '@throughline/instrumentation/register'],
      })
      assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, 'KafkaJSError\n', ''])
      assert.deepEqual(treeOf(run), [sent])
      assert.deepEqual(services(run.spans), ['app'])
      assert.deepEqual(new Set(run.paths), new Set(['/v1/traces', '/v1/metrics']))
    })
  }
})

describe('an SDK of the application gets the spans, and no other is set up', () => {
  for (const [title, file, nodeArgs] of [
    ['imported before', 'send.mjs', [...imported('own-sdk.mjs'), ...REGISTER]],
    ['imported after', 'send.mjs', [...REGISTER, ...imported('own-sdk.mjs')]],
    ['required by the application', 'own-sdk-send.cjs', REGISTER],
  ] as const) {
    test(title, async () => {
      const run = await runProgram(program(file), { nodeArgs })
      assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, 'KafkaJSError\n', ''])
      assert.deepEqual(treeOf(run), [sent])
      assert.deepEqual(services(run.spans), ['own'])
      assert.deepEqual(new Set(run.paths), new Set(['/v1/traces', '/v1/metrics']))
    })
  }
})

describe('an SDK on an older API, which ours cannot share, goes on alone, and it is said that nothing is traced', () => {
  for (const [title, nodeArgs] of [
    ['imported before', [...imported('own-older-api.cjs'), ...REGISTER]],
    ['imported after', [...REGISTER, ...imported('own-older-api.cjs')]],
  ] as const) {
    test(title, async () => {
      const run = await runProgram(program('send.mjs'), { nodeArgs })
      assert.deepEqual([run.exitCode, run.stdout], [0, 'own SDK registered\nKafkaJSError\nown span mine\n'])
      assert.match(run.stderr, /nothing is traced: .* version 1\.9\.0 of @opentelemetry\/api/)
      assert.equal(run.stderr.match(/Warning:/g)?.length, 1)
      assert.deepEqual(run.paths, [])
    })
  }
})

describe("HTTP's own instrumentations in an SDK of the application's join its spans", () => {
  for (const [title, file, nodeArgs] of [
    ['imported before', 'http.mjs', [...imported('own-http-sdk.mjs'), ...REGISTER]],
    ['imported after', 'http.mjs', [...REGISTER, ...imported('own-http-sdk.mjs')]],
    ['imported before, for what is required', 'http.cjs', [...imported('own-http-sdk.mjs'), ...REGISTER]],
    ['imported after, for what is required', 'http.cjs', [...REGISTER, ...imported('own-http-sdk.mjs')]],
    ['required by the application', 'own-http-sdk-http.cjs', REGISTER],
  ] as const) {
    test(title, async () => {
      const run = await runProgram(program(file), { nodeArgs })
      assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, 'KafkaJSError\n', ''])
      assert.deepEqual(outline(treeOf(run)), ['CLIENT POST', '  SERVER POST', '    PRODUCER send orders'])
    })
  }
})

describe("an application's own import hooks go on working, and so do these", () => {
  for (const [title, nodeArgs] of [
    ['set before', [...imported('own-hooks.mjs'), ...REGISTER]],
    ['set after', [...REGISTER, ...imported('own-hooks.mjs')]],
    ["in Node's loader thread", [...imported('own-thread-hooks.mjs'), ...REGISTER]],
  ] as const) {
    test(title, async () => {
      const run = await runProgram(program('send.mjs'), { nodeArgs })
      assert.deepEqual([run.stdout, run.stderr], ['KafkaJSError\n', ''])
      assert.deepEqual(treeOf(run), [sent])
    })
  }
})

test('OTEL_SDK_DISABLED leaves everything as it is', async () => {
  const run = await runProgram(program('send.cjs'), { env: { OTEL_SDK_DISABLED: 'true' } })
  assert.deepEqual([run.exitCode, run.stdout, run.stderr, run.paths], [0, 'KafkaJSError\n', '', []])
})

test('a client that was loaded before is warned of, with what to do', async () => {
  const run = await runProgram(program('send.cjs'), { nodeArgs: ['--require', 'kafkajs', ...REGISTER] })
  assert.match(run.stderr, /kafkajs was loaded before @throughline\/instrumentation\/register.*node --import/)
})
