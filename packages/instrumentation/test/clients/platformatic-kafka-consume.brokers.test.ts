import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { messageContext, PlatformaticKafkaInstrumentation } from '../../src/index.ts'
import { OMIT } from '../support/kafkajs.ts'
import { consume, createTopics, textConsumer, textProducer } from '../support/platformatic-kafka.ts'

new PlatformaticKafkaInstrumentation()
const recorder = recordSpans()

/** Messages of a topic, each sent by a call of its own, and a consumer of them. */
async function start(t: TestContext, values: readonly string[], partitions = 1) {
  const [topic = ''] = await createTopics(t, 1, partitions)
  const producer = textProducer(t)
  const consumer = textConsumer(t)
  recorder.reset()
  for (const [index, value] of values.entries()) {
    await producer.send({ messages: [{ topic, value, partition: index % partitions }], acks: -1 })
  }
  const sent = recorder.named(`send ${topic}`).map((span) => span.spanContext())
  return { topic, producer, consumer, sent }
}

const activeSpanId = () => trace.getSpan(context.active())?.spanContext().spanId

async function processSpans(topic: string, count: number) {
  const spans = await eventually(
    () => {
      const spans = recorder.named(`process ${topic}`)
      assert.equal(spans.length, count)
      return spans
    },
    { timeoutMs: 30_000 },
  )
  recorder.assertNoLeaks()
  return spans
}

test('a message that is sent and handled is a send span with its process span below it', async (t) => {
  const { topic, consumer } = await start(t, ['one'])
  const stream = await consume(consumer, [topic])
  const seen: (string | undefined)[] = []
  stream.on('data', async ({ value }) => {
    await new Promise((resolve) => setImmediate(resolve))
    seen.push(value, activeSpanId())
  })
  const [span] = await processSpans(topic, 1)
  assert.deepEqual(seen, ['one', span?.spanContext().spanId])
  const common = {
    'messaging.system': 'kafka',
    'server.address': '127.0.0.1',
    'messaging.client.id': 'app',
    'messaging.destination.name': topic,
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': 0,
  }
  assert.deepEqual(recorder.tree({ omit: OMIT }), [
    {
      name: `send ${topic}`,
      kind: 'PRODUCER',
      trace: 1,
      parent: null,
      attributes: { ...common, 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' },
      children: [
        {
          name: `process ${topic}`,
          kind: 'CONSUMER',
          trace: 1,
          parent: `send ${topic}`,
          links: [{ to: `send ${topic}` }],
          attributes: {
            ...common,
            'messaging.operation.name': 'process',
            'messaging.operation.type': 'process',
            'messaging.consumer.group.name': consumer.groupId,
            'throughline.sent_at_source': 'broker',
          },
        },
      ],
    },
  ])
})

test('several listeners of a message are one process span, which ends when the last of them is done', async (t) => {
  const { topic, consumer } = await start(t, ['one'])
  const stream = await consume(consumer, [topic])
  const { promise: isDone, resolve: done } = Promise.withResolvers<void>()
  const ids: (string | undefined)[] = []
  const first = async () => {
    ids.push(activeSpanId())
    await isDone
    ids.push(activeSpanId())
  }
  stream.once('data', () => ids.push(activeSpanId()))
  stream.on('data', first)
  await eventually(() => assert.equal(ids.length, 2))
  assert.deepEqual(recorder.named(`process ${topic}`), [])
  assert.deepEqual(stream.listeners('data'), [first])
  done()
  const [span] = await processSpans(topic, 1)
  assert.deepEqual(ids, Array(3).fill(span?.spanContext().spanId))
})

test('messages that are handled at the same time each have their own context', async (t) => {
  const values = Array.from({ length: 30 }, (_, index) => String(index))
  const { topic, consumer, sent } = await start(t, values, 3)
  const stream = await consume(consumer, [topic])
  const seen = new Map<string, string | undefined>()
  stream.on('data', async ({ value }) => {
    await new Promise((resolve) => setImmediate(resolve))
    seen.set(value, trace.getSpan(context.active())?.spanContext().traceId)
  })
  await processSpans(topic, 30)
  assert.deepEqual(
    values.map((value) => seen.get(value)),
    sent.map(({ traceId }) => traceId),
  )
})

test('a listener that throws or whose promise is rejected fails its span, and the error goes where it went', async (t) => {
  const { topic, consumer } = await start(t, ['one', 'two'])
  const stream = await consume(consumer, [topic])
  const unhandled: unknown[] = []
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (error) => unhandled.push(error))
  t.after(() => {
    process.removeAllListeners('unhandledRejection')
    for (const listener of listeners) process.on('unhandledRejection', listener)
  })
  const rejection = new RangeError('rejected')
  const errors: Error[] = []
  stream.on('error', (error) => errors.push(error))
  stream.on('data', ({ value }) => {
    if (value === 'one') return Promise.reject(rejection)
    throw new TypeError('thrown')
  })
  const spans = await processSpans(topic, 2)
  assert.deepEqual(
    spans
      .map(({ status, attributes }) => [
        status.message,
        attributes['error.type'],
        attributes['throughline.outcome'],
      ])
      .sort(),
    [
      ['rejected', 'RangeError', undefined],
      ['thrown', 'TypeError', undefined],
    ],
  )
  await eventually(() => assert.deepEqual(unhandled, [rejection]))
  await eventually(() => assert.equal((errors[0]?.cause as Error)?.message, 'thrown'))
})

test('a loop has a message from when it is handed to it until it asks for the next one', async (t) => {
  const { topic, producer, consumer, sent } = await start(t, ['one', 'two', 'three'])
  const [next = ''] = await createTopics(t)
  const ended: number[] = []
  for await (const message of await consume(consumer, [topic])) {
    ended.push(recorder.named(`process ${topic}`).length)
    await context.with(messageContext(message), () =>
      producer.send({ messages: [{ topic: next, value: message.value }] }),
    )
    await message.commit()
    ended.push(recorder.named(`process ${topic}`).length)
    if (message.value === 'three') break
  }
  assert.deepEqual(ended, [0, 0, 1, 1, 2, 2])
  const spans = await processSpans(topic, 3)
  assert.deepEqual(
    spans.map((span) => [span.parentSpanContext?.spanId, span.attributes['throughline.outcome']]),
    sent.map(({ spanId }) => [spanId, 'accept']),
  )
  assert.deepEqual(
    recorder.named(`send ${next}`).map((span) => span.parentSpanContext?.spanId),
    spans.map((span) => span.spanContext().spanId),
  )
})

test('headers that are copied from a message in hand are replaced: what is sent is its next hop', async (t) => {
  const { topic, producer, consumer, sent } = await start(t, ['one', 'two'])
  const [next = ''] = await createTopics(t)
  const forward = ({ value, headers }: { value: string; headers: Map<string, string> }) =>
    producer.send({ messages: [{ topic: next, value, headers }] })
  for await (const message of await consume(consumer, [topic])) {
    await forward(message)
    if (message.value === 'two') break
  }
  const stream = await consume(textConsumer(t), [topic])
  stream.on('data', forward)
  const spans = await processSpans(topic, 4)
  assert.deepEqual(
    recorder
      .named(`send ${next}`)
      .map((span) => [span.spanContext().traceId, span.parentSpanContext?.spanId]),
    spans.map((span, index) => [sent[index % 2]?.traceId, span.spanContext().spanId]),
  )
})

test('what the stream has fetched ahead and nobody was given has no span', async (t) => {
  const { topic, consumer } = await start(t, ['one', 'two', 'three'])
  const stream = await consume(consumer, [topic])
  for await (const _ of stream) {
    await eventually(() => assert.equal(stream.readableLength, 2))
    break
  }
  await processSpans(topic, 1)
})

test('a message that a loop was left at without a commit comes again as its next attempt', async (t) => {
  const { topic, consumer } = await start(t, ['one'])
  await assert.rejects(async () => {
    for await (const _ of await consume(consumer, [topic])) throw new Error('out of stock')
  }, /out of stock/)
  for await (const message of await consume(consumer, [topic])) {
    await message.commit()
    break
  }
  const [failed, again] = await processSpans(topic, 2)
  assert.equal(failed?.attributes['throughline.outcome'], undefined)
  assert.equal(again?.attributes['throughline.attempt'], 2)
  assert.equal(again?.attributes['throughline.outcome'], 'accept')
  const retry = again?.links.find(({ attributes }) => attributes?.retry === true)
  assert.equal(retry?.context.spanId, failed?.spanContext().spanId)
})

test('a pipeline is handed its messages when they are read, and has the context of each by the message', async (t) => {
  const { topic, consumer, producer, sent } = await start(t, ['one', 'two', 'three'])
  const [next = ''] = await createTopics(t)
  const active: (string | undefined)[] = []
  const stream = await consume(consumer, [topic])
  const sink = new Writable({
    objectMode: true,
    write(message, _, callback) {
      active.push(activeSpanId())
      const send = context.with(messageContext(message), () =>
        producer.send({ messages: [{ topic: next, value: message.value }] }),
      )
      send.then(() => {
        if (active.length === 3) void stream.close()
        callback()
      }, callback)
    },
  })
  await pipeline(stream, sink)
  const spans = await processSpans(topic, 3)
  assert.deepEqual(active, [undefined, undefined, undefined])
  assert.deepEqual(
    recorder
      .named(`send ${next}`)
      .map((span) => [span.spanContext().traceId, span.parentSpanContext?.spanId]),
    spans.map((span, index) => [sent[index]?.traceId, span.spanContext().spanId]),
  )
})

test('who reads messages by hand is handed each once', async (t) => {
  const { topic, consumer } = await start(t, ['one', 'two'])
  const stream = await consume(consumer, [topic])
  const seen: string[] = []
  stream.on('readable', () => {
    for (let message = stream.read(); message !== null; message = stream.read()) seen.push(message.value)
  })
  await processSpans(topic, 2)
  assert.deepEqual(seen, ['one', 'two'])
})

test('a message that a listener and a loop are both given is one process span', async (t) => {
  const { topic, consumer } = await start(t, ['one'])
  const stream = await consume(consumer, [topic])
  const active: (string | undefined)[] = []
  stream.on('data', () => active.push(activeSpanId()))
  for await (const message of stream) {
    active.push(trace.getSpan(messageContext(message))?.spanContext().spanId)
    break
  }
  const [span] = await processSpans(topic, 1)
  assert.deepEqual(active, Array(2).fill(span?.spanContext().spanId))
})

test('what the client commits by itself is accepted', async (t) => {
  const { topic, consumer } = await start(t, ['one'])
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'earliest',
    autocommit: true,
    maxWaitTime: 100,
  })
  stream.on('data', () => {})
  const [span] = await processSpans(topic, 1)
  assert.equal(span?.attributes['throughline.outcome'], 'accept')
})
