import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { tree } from '@throughline/testkit'
import { runApp } from '../support/app.ts'
import { OMIT } from '../support/kafkajs.ts'

const CLIENT = {
  'messaging.system': 'kafka',
  'server.address': '127.0.0.1',
  'messaging.client.id': 'orders',
}

for (const version of ['newest', 'oldest'] as const) {
  for (const format of ['cjs', 'mjs'] as const) {
    test(`an application with the ${version} @platformatic/kafka, ${format}, is traced without a word of ours`, async () => {
      const topic = `app-${randomUUID()}`
      const group = `group-${topic}`
      const run = await runApp({
        client: '@platformatic/kafka',
        version,
        format,
        env: { TOPIC: topic, GROUP: group },
      })
      assert.equal(run.stdout, 'one\ntwo\nthree\n')
      assert.equal(run.stderr, '')
      assert.deepEqual(tree(run.spans, { omit: OMIT }), expected(topic, group))
    })
  }
}

/** What test/apps/platformatic-kafka does. */
function expected(topic: string, group: string) {
  const operation = (name: string) => ({
    ...CLIENT,
    'messaging.operation.name': name,
    'messaging.operation.type': name,
    'messaging.destination.name': topic,
  })
  const place = (offset: number) => ({
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': offset,
  })
  const processed = (sender: string, trace: number, offset: number, key?: string) => ({
    name: `process ${topic}`,
    kind: 'CONSUMER',
    trace,
    parent: sender,
    links: [{ to: sender }],
    attributes: {
      ...operation('process'),
      ...place(offset),
      ...(key === undefined ? {} : { 'messaging.kafka.message.key': key }),
      'messaging.consumer.group.name': group,
      'throughline.sent_at_source': 'broker',
      'throughline.outcome': 'accept',
    },
  })
  const created = (sender: string, trace: number, offset: number) => ({
    name: `create ${topic}`,
    kind: 'PRODUCER',
    trace,
    parent: null,
    attributes: operation('create'),
    children: [processed(sender, trace, offset)],
  })
  return [
    {
      name: `send ${topic}`,
      kind: 'PRODUCER',
      trace: 1,
      parent: null,
      attributes: { ...operation('send'), 'messaging.kafka.message.key': 'a', ...place(0) },
      children: [processed(`send ${topic}`, 1, 0, 'a')],
    },
    {
      name: `send ${topic}`,
      kind: 'CLIENT',
      trace: 2,
      parent: null,
      links: [{ to: `create ${topic}` }, { to: `create ${topic}#2` }],
      attributes: { ...operation('send'), 'messaging.batch.message_count': 2 },
    },
    created(`create ${topic}`, 3, 1),
    created(`create ${topic}#2`, 4, 2),
  ]
}
