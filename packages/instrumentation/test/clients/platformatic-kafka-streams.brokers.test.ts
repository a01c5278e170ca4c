import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { messageContext, PlatformaticKafkaInstrumentation } from '../../src/index.ts'
import {
  client,
  consume,
  createTopics,
  loadPlatformaticKafka,
  textConsumer,
  textProducer,
} from '../support/platformatic-kafka.ts'

new PlatformaticKafkaInstrumentation()
const recorder = recordSpans()

/** Messages of topics, each sent by a call of its own: their spans by what they say. */
async function start(t: TestContext, values: readonly string[], count = 1) {
  const topics = await createTopics(t, count)
  const producer = textProducer(t)
  recorder.reset()
  const sent = new Map<string, string>()
  for (const topic of topics) {
    for (const value of values) {
      await producer.send({ messages: [{ topic, value }] })
      const span = recorder.finished().at(-1)
      sent.set(`${topic} ${value}`, span?.spanContext().spanId ?? '')
    }
  }
  return { topics, topic: topics[0] ?? '', sent, producer }
}

async function processed(count: number) {
  return eventually(
    () => {
      const spans = recorder.finished().filter(({ name }) => name.startsWith('process '))
      assert.equal(spans.length, count)
      recorder.assertNoLeaks()
      return spans
    },
    { timeoutMs: 30_000 },
  )
}

const parentOf = (message: object) => {
  const span = recorder
    .finished()
    .find((each) => each.spanContext().spanId === trace.getSpanContext(messageContext(message))?.spanId)
  return span?.parentSpanContext?.spanId
}

test('several streams of one consumer each hand over their own messages, to listeners and to a loop', async (t) => {
  const { topics, sent } = await start(t, ['one', 'two'], 2)
  const [first = '', second = ''] = topics
  const consumer = textConsumer(t)
  const streams = [await consume(consumer, [first]), await consume(consumer, [second])]
  const active: unknown[] = []
  streams[0]?.on('data', async (message) => {
    await new Promise((resolve) => setImmediate(resolve))
    active.push(trace.getSpan(context.active()) === trace.getSpan(messageContext(message)))
  })
  for await (const { value } of streams[1] ?? []) if (value === 'two') break
  const spans = await processed(4)
  assert.deepEqual(
    spans.map(({ parentSpanContext }) => parentSpanContext?.spanId).sort(),
    [...sent.values()].sort(),
  )
  assert.deepEqual(active, [true, true])
})

test("what a stream's own helpers map and filter is handed over as to a loop", async (t) => {
  const { topic, sent } = await start(t, ['one', 'two', 'three'])
  const stream = await consume(textConsumer(t), [topic])
  const seen: string[] = []
  const mapped = stream
    .filter(({ value }) => value !== 'two')
    .map(async (message) => {
      seen.push(trace.getSpanContext(messageContext(message)) === undefined ? 'no context' : message.value)
      return message.value
    })
    .take(2)
  assert.deepEqual(await mapped.toArray(), ['one', 'three'])
  assert.deepEqual(seen, ['one', 'three'])
  const spans = await processed(3)
  assert.deepEqual(
    spans.map(({ parentSpanContext }) => parentSpanContext?.spanId),
    ['one', 'two', 'three'].map((value) => sent.get(`${topic} ${value}`)),
  )
})

test('what an iterator was left with, without a word, is over when its stream is closed or destroyed', async (t) => {
  const { topic } = await start(t, ['one', 'two'])
  const consumer = textConsumer(t)
  for (const end of ['close', 'destroy'] as const) {
    const stream = await consume(consumer, [topic])
    const { value: message } = await stream[Symbol.asyncIterator]().next()
    assert.equal(message?.value, 'one')
    const closed = once(stream, 'close')
    await stream[end]()
    await closed
  }
  const spans = await processed(2)
  // Whether it was handled is not known, so the second is its next attempt.
  assert.deepEqual(
    spans.map(({ attributes }) => attributes['throughline.outcome']),
    [undefined, undefined],
  )
  assert.equal(spans[1]?.attributes['throughline.attempt'], 2)
})

test('a loop that closes its stream ends as it would', async (t) => {
  const { topic } = await start(t, ['one', 'two'])
  const stream = await consume(textConsumer(t), [topic])
  for await (const message of stream) {
    await message.commit()
    await stream.close()
  }
  const [span] = await processed(1)
  assert.equal(span?.attributes['throughline.outcome'], 'accept')
})

test('a sink that gathers messages past 128 has the context of each', async (t) => {
  const values = Array.from({ length: 150 }, (_, index) => String(index))
  const { topic, sent } = await start(t, values)
  const stream = await consume(textConsumer(t), [topic])
  const gathered: { value: string }[] = []
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 200,
    writev(chunks, callback) {
      for (const { chunk } of chunks) gathered.push(chunk)
      callback()
    },
  })
  stream.pipe(sink)
  await eventually(() => assert.equal(gathered.length, 150), { timeoutMs: 30_000 })
  await processed(150)
  assert.deepEqual(
    gathered.map(parentOf),
    values.map((value) => sent.get(`${topic} ${value}`)),
  )
})

test('what a deserializer refuses fails the stream as it would, and has no span', async (t) => {
  const { topic } = await start(t, ['{"id":1}', 'no JSON'])
  const { Consumer, stringDeserializers, jsonDeserializer } = loadPlatformaticKafka()
  const deserializers = { ...stringDeserializers, value: jsonDeserializer } as never
  const consumer = new Consumer<string, { id: number }, string, string>({
    ...client,
    groupId: `json-${topic}`,
    deserializers,
  })
  t.after(() => consumer.close(true))
  const stream = await consume(consumer, [topic])
  const values: unknown[] = []
  stream.on('data', ({ value }) => void values.push(value))
  const [error] = (await once(stream, 'error')) as [Error]
  assert.match(error.message, /Failed to deserialize a message/)
  assert.deepEqual(values, [{ id: 1 }])
  const [span] = await processed(1)
  assert.equal(span?.attributes['messaging.kafka.offset'], 0)
})
