import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { tree } from '@throughline/testkit'
import { runProgram } from './support/program.ts'

const program = (name: string) => join(import.meta.dirname, 'programs', name)

/** The span of a send without a connection. */
const sent = {
  name: 'send orders',
  kind: 'PRODUCER',
  trace: 1,
  parent: null,
  attributes: {
    'messaging.system': 'kafka',
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'orders',
    'server.address': '127.0.0.1',
    'server.port': 9,
    'error.type': 'KafkaJSError',
  },
  status: { code: 'ERROR', message: 'The producer is disconnected' },
}

for (const format of ['cjs', 'mjs']) {
  for (const flag of ['--import', '--require']) {
    test(`without an SDK, ${flag} sets one up from the environment: ${format}`, async () => {
      const run = await runProgram(program(`send.${format}`), {
        nodeArgs: [flag, '@throughline/instrumentation/register'],
      })
      assert.equal(run.exitCode, 0)
      assert.equal(run.stdout, 'KafkaJSError\n')
      assert.equal(run.stderr, '')
      assert.deepEqual(withoutEvents(run), [sent])
      assert.deepEqual(new Set(run.paths), new Set(['/v1/traces', '/v1/metrics']))
    })
  }
}

function withoutEvents({ spans }: Pick<Awaited<ReturnType<typeof runProgram>>, 'spans'>) {
  return tree(spans).map(({ events: _, ...node }) => node)
}
