import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type SpanNode, tree } from '@throughline/testkit'
import { runApp } from '../support/app.ts'
import { OMIT } from '../support/rabbitmq.ts'

const env = { AMQP_URL: process.env.AMQP_URL }
const omit = [...OMIT, 'messaging.rabbitmq.message.delivery_tag']
const RUNS = (['newest', 'oldest'] as const).flatMap((version) =>
  (['cjs', 'mjs'] as const).map((format) => ({ version, format })),
)

/** What each span is and where it hangs; attributes are asserted whole in the tests of each client. */
function shape(nodes: readonly SpanNode[] | undefined): unknown[] {
  return (nodes ?? []).map(({ name, kind, links, attributes, children }) => {
    const { 'throughline.outcome': outcome, 'throughline.attempt': attempt } = attributes ?? {}
    const told = [outcome, attempt].filter((each) => each !== undefined).join(' ')
    return [
      [name, kind, ...(links ?? []).map(({ to }) => `→ ${to}`), told].join(' ').trim(),
      ...shape(children),
    ]
  })
}

describe('applications without a word of Throughline, under register', () => {
  for (const { version, format } of RUNS) {
    test(`amqplib, ${version}, ${format}`, async () => {
      const { spans } = await runApp({ client: 'amqplib', version, format, env })
      const nodes = tree(spans, { omit })
      assert.deepEqual(shape(nodes), [
        [
          'publish app.orders PRODUCER',
          [
            'process app.orders CONSUMER → publish app.orders accept',
            [
              'publish amq.topic:app.paid PRODUCER',
              ['process amq.topic:app.paid:app.payments CONSUMER → publish amq.topic:app.paid accept'],
            ],
          ],
        ],
        [
          'publish app.orders PRODUCER',
          ['process app.orders CONSUMER → publish app.orders#2 reject'],
          ['process app.refused CONSUMER → publish app.orders#2 → process app.orders#2 accept'],
        ],
      ])
      assert.deepEqual(nodes[0]?.attributes, {
        'messaging.system': 'rabbitmq',
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'app.orders',
        'messaging.rabbitmq.destination.routing_key': 'app.orders',
        'messaging.message.id': 'good',
        'server.address': '127.0.0.1',
        'server.port': Number(new URL(env.AMQP_URL ?? '').port),
      })
    })

    test(`rabbitmq-client, ${version}, ${format}`, async () => {
      const { spans, stdout } = await runApp({ client: 'rabbitmq-client', version, format, env })
      assert.match(stdout, /order is paid/)
      const orders = 'app.client.orders'
      const payments = 'app.client.payments'
      const answers = 'amq.rabbitmq.reply-to'
      assert.deepEqual(shape(tree(spans, { omit })), [
        [
          `publish ${orders} PRODUCER`,
          [`process ${orders} CONSUMER → publish ${orders} release`],
          [
            `process ${orders} CONSUMER → publish ${orders} → process ${orders} accept 2`,
            [
              `publish ${payments} PRODUCER`,
              [
                `process ${payments} CONSUMER → publish ${payments} accept`,
                [`publish ${answers} PRODUCER`, [`process ${answers} CONSUMER → publish ${answers} accept`]],
              ],
            ],
          ],
        ],
      ])
    })
  }
})
