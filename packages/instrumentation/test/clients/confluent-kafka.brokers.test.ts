import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { eventually, recordSpans } from '@throughline/testkit'
import { ConfluentKafkaInstrumentation } from '../../src/index.ts'
import { connected, consume, needsClient, setUp } from '../support/confluent-kafka.ts'
import { frozen } from '../support/frozen.ts'
import { brokers, OMIT } from '../support/kafkajs.ts'

new ConfluentKafkaInstrumentation()
const recorder = recordSpans()

const CLIENT = {
  'messaging.system': 'kafka',
  'server.address': '127.0.0.1',
  'messaging.client.id': 'app',
}

function sending(topic: string, name = 'send') {
  return {
    ...CLIENT,
    'messaging.operation.name': name,
    'messaging.operation.type': name,
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

const placed = (offset: number) => ({
  'messaging.destination.partition.id': '0',
  'messaging.kafka.offset': offset,
})

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

test(
  'a message that is sent and handled is a send span with its process span below it',
  needsClient,
  async (t) => {
    const { kafka, producer, topic, group } = await start(t)
    const headers = { ce_id: '1', ce_source: '/orders', ce_type: 'created', ce_specversion: '1.0' }
    const [record] = await producer.send({ topic, messages: [{ key: 'a', value: 'one', headers }] })
    assert.deepEqual([record?.topicName, record?.partition, record?.baseOffset], [topic, 0, '0'])
    const seen: unknown[] = []
    await consume(t, kafka, {
      topics: [topic],
      group,
      eachMessage: async (payload) => {
        const { message, heartbeat, pause } = payload
        await heartbeat()
        seen.push([
          payload.topic,
          payload.partition,
          String(message.key),
          String(message.value),
          typeof pause,
        ])
      },
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
        attributes: { ...sending(topic), ...event, 'messaging.kafka.message.key': 'a', ...placed(0) },
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
    assert.deepEqual(seen, [[topic, 0, 'a', 'one', 'function']])
  },
)

test(
  'sendBatch is traced once, though it calls send: a create span each, and a send span a topic',
  needsClient,
  async (t) => {
    const { producer, topics } = await start(t, { topics: 2 })
    const [one = '', two = ''] = topics
    const records = await producer.sendBatch({
      topicMessages: [
        { topic: one, messages: [{ value: '1' }, { value: null }] },
        { topic: two, messages: [{ value: '3' }] },
      ],
    })
    assert.deepEqual(records.map(({ topicName }) => topicName).sort(), [one, two].sort())
    assert.deepEqual(await treeOf(4), [
      {
        name: `create ${one}`,
        kind: 'PRODUCER',
        trace: 1,
        parent: null,
        attributes: sending(one, 'create'),
      },
      {
        name: `create ${one}`,
        kind: 'PRODUCER',
        trace: 2,
        parent: null,
        attributes: { ...sending(one, 'create'), 'messaging.kafka.message.tombstone': true },
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
  },
)

test('what a transaction sends, which is the producer itself, is traced once', needsClient, async (t) => {
  const { kafka, topic, topics, group } = await start(t, { topics: 2 })
  const [, source = ''] = topics
  const consumer = await consume(t, kafka, { topics: [source], group, eachMessage: async () => {} })
  const producer = await connected(t, kafka.producer({ kafkaJS: { transactionalId: randomUUID() } }))
  const transaction = await producer.transaction()
  assert.equal(transaction, producer)
  await transaction.send({ topic, messages: [{ value: 'one' }] })
  await transaction.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'two' }] }] })
  await transaction.sendOffsets({
    consumer,
    topics: [{ topic: source, partitions: [{ partition: 0, offset: '2' }] }],
  })
  assert.equal(transaction.isActive(), true)
  await transaction.commit()
  const aborted = await producer.transaction()
  await aborted.send({ topic, messages: [{ value: 'three' }] })
  await aborted.abort()
  await treeOf(3)
  const spans = recorder.finished()
  assert.deepEqual(
    spans.map(({ name, status, attributes }) => [name, status.code, attributes['messaging.kafka.offset']]),
    [
      [`send ${topic}`, 0, 0],
      [`send ${topic}`, 0, 1],
      // Offset 2 is the transaction's own record. What was sent was confirmed, whatever becomes of it.
      [`send ${topic}`, 0, 3],
    ],
  )
})

test(
  'a call that the client refuses has an error of its own, which the application gets as it is',
  needsClient,
  async (t) => {
    const { kafka, producer, topic } = await start(t)
    const refused = (error: unknown) => {
      assert.ok(error instanceof Error)
      assert.equal(error.name, 'KafkaJSError')
      return true
    }
    await assert.rejects(producer.send({ topic, acks: 1, messages: [{ value: 'one' }] }), refused)
    const unconnected = kafka.producer()
    await assert.rejects(unconnected.send({ topic, messages: [{ value: 'one' }] }), refused)
    const nothing = Reflect.apply(producer.send, producer, [null]) as Promise<unknown>
    await assert.rejects(nothing, refused)
    const tree = await treeOf(2)
    for (const { status, attributes } of tree) {
      assert.equal(status?.code, 'ERROR')
      assert.equal(attributes?.['error.type'], 'KafkaJSError')
    }
  },
)

test('a handler that throws is an attempt that failed, the next one links to it', needsClient, async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  await producer.send({ topic, messages: [{ value: 'one' }] })
  let attempts = 0
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async () => {
      attempts++
      if (attempts < 3) throw new Error(`attempt ${attempts}`)
    },
  })
  const [send] = await treeOf(4)
  assert.deepEqual(
    send?.children?.map(({ attributes, status, links }) => [
      attributes?.['throughline.attempt'],
      attributes?.['throughline.outcome'],
      status?.message,
      links?.map(({ to }) => to),
    ]),
    [
      [undefined, 'release', 'attempt 1', [`send ${topic}`]],
      [2, 'release', 'attempt 2', [`send ${topic}`, `process ${topic}`]],
      [3, 'accept', undefined, [`send ${topic}`, `process ${topic}#2`]],
    ],
  )
})

test('what the application gives is not changed, and its bytes arrive as bytes', needsClient, async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  const bytes = Buffer.from([0, 255, 128, 1])
  // The client itself writes into the messages that it is given.
  const record = frozen({
    topic,
    messages: [
      { key: bytes, value: bytes, headers: { raw: bytes, twice: ['a', bytes], text: 'ä' } },
      { value: 'no headers', partition: 0, timestamp: '1700000000000' },
    ],
  })
  const before = structuredClone(record)
  await producer.send(record)
  await producer.send({ topic, messages: [record.messages[0] ?? assert.fail()] })
  assert.deepEqual(structuredClone(record), before)
  type Seen = { key: unknown; value: unknown; headers: Readonly<Record<string, unknown>>; timestamp: string }
  const seen: Seen[] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async ({ message: { key, value, headers, timestamp } }) => {
      const { traceparent: _, 'throughline-sent-at': __, ...own } = headers ?? {}
      seen.push({ key, value, headers: own, timestamp })
    },
  })
  await eventually(() => assert.equal(seen.length, 3), { timeoutMs: 30_000 })
  const [first, second, third] = seen
  const text = Buffer.from('ä')
  for (const message of [first, third]) {
    assert.deepEqual(message?.key, bytes)
    assert.deepEqual(message?.value, bytes)
    assert.deepEqual(message?.headers, { raw: bytes, twice: [Buffer.from('a'), bytes], text })
  }
  assert.deepEqual([second?.headers, second?.timestamp], [{}, '1700000000000'])
})

test(
  "of options in both vocabularies spans tell librdkafka's, as the client takes them",
  needsClient,
  async (t) => {
    const [server] = brokers()
    const common = { 'client.id': 'librdkafka', 'bootstrap.servers': `${server},127.0.0.1:1` }
    const { kafka, producer, topic, group } = await start(t, common)
    await producer.send({ topic, messages: [{ value: 'one' }] })
    const options = { 'client.id': 'own' }
    await consume(t, kafka, { topics: [topic], group, options, eachMessage: async () => {} })
    await treeOf(2)
    const [send, process] = recorder.finished()
    assert.equal(send?.attributes['messaging.client.id'], 'librdkafka')
    assert.equal(process?.attributes['messaging.client.id'], 'own')
    assert.equal(process?.attributes['messaging.consumer.group.name'], group)
    for (const span of [send, process]) {
      assert.equal(`${span?.attributes['server.address']}:${span?.attributes['server.port']}`, server)
    }
  },
)
