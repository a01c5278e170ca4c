import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { eventually, recordSpans } from '@throughline/testkit'
import { KafkaJsInstrumentation } from '../../src/index.ts'
import { connected, consume, OMIT, setUp } from '../support/kafkajs.ts'

new KafkaJsInstrumentation()
const recorder = recordSpans()

const CLIENT = {
  'messaging.system': 'kafka',
  'server.address': '127.0.0.1',
  'messaging.client.id': 'app',
}

function sending(topic: string) {
  return {
    ...CLIENT,
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': topic,
  }
}

function processing(topic: string, group: string, offset: number) {
  return {
    ...CLIENT,
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': topic,
    'messaging.consumer.group.name': group,
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': offset,
    'throughline.sent_at_source': 'broker',
  }
}

/** kafkajs gives up at once where a handler throws one of the language's own. */
class OutOfStock extends Error {
  override readonly name = 'OutOfStock'
}

/** Waits for the spans of a test, and for what it left open. */
async function treeOf(count: number) {
  await eventually(() => assert.equal(recorder.finished().length, count), { timeoutMs: 30_000 })
  recorder.assertNoLeaks()
  return recorder.tree({ omit: OMIT })
}

async function start(t: TestContext, options?: Parameters<typeof setUp>[1]) {
  const setup = await setUp(t, options)
  recorder.reset()
  return setup
}

test('a message that is sent and handled is a send span with its process span below it', async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  const headers = { ce_id: '1', ce_source: '/orders', ce_type: 'created', ce_specversion: '1.0' }
  const [record] = await producer.send({ topic, messages: [{ key: 'a', value: 'one', headers }] })
  assert.deepEqual([record?.topicName, record?.partition, record?.baseOffset], [topic, 0, '0'])
  const seen: string[] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async ({ message }) => void seen.push(String(message.value)),
  })
  const event = {
    'cloudevents.event_id': '1',
    'cloudevents.event_source': '/orders',
    'cloudevents.event_type': 'created',
    'cloudevents.event_spec_version': '1.0',
    'messaging.message.id': '1',
  }
  assert.deepEqual(await treeOf(2), [
    {
      name: `send ${topic}`,
      kind: 'PRODUCER',
      trace: 1,
      parent: null,
      attributes: {
        ...sending(topic),
        ...event,
        'messaging.kafka.message.key': 'a',
        'messaging.destination.partition.id': '0',
        'messaging.kafka.offset': 0,
      },
      children: [
        {
          name: `process ${topic}`,
          kind: 'CONSUMER',
          trace: 1,
          parent: `send ${topic}`,
          links: [{ to: `send ${topic}` }],
          attributes: {
            ...processing(topic, group, 0),
            ...event,
            'messaging.kafka.message.key': 'a',
            'throughline.outcome': 'accept',
          },
        },
      ],
    },
  ])
  assert.deepEqual(seen, ['one'])
})

test('messages of one call have a create span each, and one send span a topic that is linked to them', async (t) => {
  const { producer, topics } = await start(t, { topics: 2 })
  const [one = '', two = ''] = topics
  await producer.sendBatch({
    topicMessages: [
      { topic: one, messages: [{ value: '1' }, { value: null }] },
      { topic: two, messages: [{ value: '3' }] },
    ],
  })
  const create = { ...CLIENT, 'messaging.operation.name': 'create', 'messaging.operation.type': 'create' }
  assert.deepEqual(await treeOf(4), [
    {
      name: `create ${one}`,
      kind: 'PRODUCER',
      trace: 1,
      parent: null,
      attributes: { ...create, 'messaging.destination.name': one },
    },
    {
      name: `create ${one}`,
      kind: 'PRODUCER',
      trace: 2,
      parent: null,
      attributes: {
        ...create,
        'messaging.destination.name': one,
        'messaging.kafka.message.tombstone': true,
      },
    },
    {
      name: `send ${one}`,
      kind: 'CLIENT',
      trace: 3,
      parent: null,
      links: [{ to: `create ${one}` }, { to: `create ${one}#2` }],
      attributes: { ...sending(one), 'messaging.batch.message_count': 2 },
    },
    { name: `send ${two}`, kind: 'PRODUCER', trace: 4, parent: null, attributes: sending(two) },
  ])
})

test('what a transaction sends is traced, its offsets and its end are left alone', async (t) => {
  const { kafka, topic, group } = await start(t)
  const options = { transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 }
  const producer = await connected(t, kafka.producer(options))
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'one' }] })
  await transaction.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'two' }] }] })
  await transaction.sendOffsets({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition: 0, offset: '2' }] }],
  })
  assert.equal(transaction.isActive(), true)
  await transaction.commit()
  await assert.rejects(transaction.send({ topic, messages: [{ value: 'late' }] }), {
    message: 'Cannot continue to use transaction once ended',
  })
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  assert.equal(committed?.partitions[0]?.offset, '2')
  const late = (await treeOf(3)).at(-1)
  assert.deepEqual(
    recorder.finished().map(({ name }) => name),
    [`send ${topic}`, `send ${topic}`, `send ${topic}`],
  )
  assert.equal(late?.attributes?.['error.type'], 'KafkaJSNonRetriableError')
})

test('a handler that throws is an attempt that failed, the next one links to it', async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  await producer.send({ topic, messages: [{ value: 'one' }] })
  let attempts = 0
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async () => {
      attempts++
      if (attempts < 3) throw new OutOfStock(`attempt ${attempts}`)
    },
  })
  const attempt = (number: number, failed: boolean, links: object[]) => ({
    name: `process ${topic}`,
    kind: 'CONSUMER',
    trace: 1,
    parent: `send ${topic}`,
    links: [{ to: `send ${topic}` }, ...links],
    attributes: {
      ...processing(topic, group, 0),
      ...(number === 1 ? {} : { 'throughline.attempt': number }),
      ...(failed ? { 'error.type': 'OutOfStock' } : {}),
      'throughline.outcome': failed ? 'release' : 'accept',
    },
    ...(failed
      ? {
          status: { code: 'ERROR', message: `attempt ${number}` },
          events: [
            {
              name: 'exception',
              attributes: { 'exception.type': 'OutOfStock', 'exception.message': `attempt ${number}` },
            },
          ],
        }
      : {}),
  })
  const [root] = await treeOf(4)
  assert.deepEqual(root?.children, [
    attempt(1, true, []),
    attempt(2, true, [{ to: `process ${topic}`, attributes: { retry: true } }]),
    attempt(3, false, [{ to: `process ${topic}#2`, attributes: { retry: true } }]),
  ])
})

test('what failed before the consumer was stopped is known when it runs again', async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  await producer.send({ topic, messages: [{ value: 'one' }] })
  const failed = Promise.withResolvers<void>()
  const consumer = await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async () => {
      failed.resolve()
      throw new OutOfStock('none left')
    },
  })
  await failed.promise
  await consumer.stop()
  const before = recorder.named(`process ${topic}`)
  await consumer.run({ eachMessage: async () => {} })
  const again = await eventually(
    () => {
      const spans = recorder.named(`process ${topic}`)
      assert.equal(spans.length, before.length + 1)
      return spans.at(-1)
    },
    { timeoutMs: 30_000 },
  )
  assert.equal(again?.attributes['throughline.attempt'], before.length + 1)
  assert.equal(again?.links.at(-1)?.context.spanId, before.at(-1)?.spanContext().spanId)
})

test('a send that the client refuses rejects with its own error, and its span says which', async (t) => {
  const { producer, topic } = await start(t)
  // @ts-expect-error: without a value
  await assert.rejects(producer.send({ topic, messages: [{ key: 'a' }] }), {
    message: `Invalid message without value for topic "${topic}": {"key":"a"}`,
  })
  const [span] = await treeOf(1)
  assert.deepEqual(span?.status, {
    code: 'ERROR',
    message: `Invalid message without value for topic "${topic}": {"key":"a"}`,
  })
  assert.equal(span?.attributes?.['error.type'], 'KafkaJSNonRetriableError')
})

test('arguments that are none are answered by the client alone', async (t) => {
  const { producer, topic } = await start(t)
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.send({ topic }), { name: 'KafkaJSNonRetriableError' })
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.send(undefined), TypeError)
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.sendBatch(), TypeError)
  assert.deepEqual(await producer.sendBatch({ topicMessages: [] }), [])
  assert.deepEqual(await treeOf(0), [])
})
