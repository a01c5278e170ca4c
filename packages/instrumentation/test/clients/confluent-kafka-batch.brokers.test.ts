import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { ConfluentKafkaInstrumentation, messageContext } from '../../src/index.ts'
import { consume, needsClient, setUp } from '../support/confluent-kafka.ts'

new ConfluentKafkaInstrumentation()
const recorder = recordSpans()
const tracer = trace.getTracer('application')

/** As many messages of a batch as there are, in place of the client's 32. */
const WHOLE = { 'js.consumer.max.batch.size': -1, 'fetch.wait.max.ms': 100 }

/** One call with all messages, each in a trace of its own. */
async function start(t: TestContext, messages: number, topics = 1) {
  const setup = await setUp(t, { topics })
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  const { producer, topic } = setup
  const values = Array.from({ length: messages }, (_, index) => ({ value: String(index) }))
  await producer.send({ topic, messages: values })
  return { ...setup, created: recorder.named(`create ${topic}`).map((span) => span.spanContext()) }
}

async function processSpans(topic: string, count: number) {
  return eventually(
    () => {
      const spans = recorder.named(`process ${topic}`)
      assert.equal(spans.length, count)
      return spans
    },
    { timeoutMs: 30_000 },
  )
}

test('a batch is one process span, and no link of its 300 messages is lost', needsClient, async (t) => {
  const { kafka, topic, group, created } = await start(t, 300)
  const sizes: number[] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    options: WHOLE,
    eachBatch: async ({ batch }) => void sizes.push(batch.messages.length),
  })
  const [span] = await processSpans(topic, 1)
  assert.deepEqual(sizes, [300])
  assert.equal(span?.kind, SpanKind.CONSUMER)
  assert.equal(span?.parentSpanContext, undefined)
  assert.equal(span?.attributes['messaging.batch.message_count'], 300)
  assert.equal(span?.attributes['throughline.outcome'], 'accept')
  const parts = recorder.named(`receive ${topic}`)
  assert.deepEqual(
    parts.flatMap(({ links }) => links.map((link) => link.context.spanId)),
    created.map(({ spanId }) => spanId),
  )
  assert.deepEqual(
    span?.links.map((link) => link.context.spanId),
    parts.map((part) => part.spanContext().spanId),
  )
})

test('what is done on behalf of one message of a batch goes on in its trace', needsClient, async (t) => {
  const { kafka, producer, topics, group, created } = await start(t, 3, 2)
  const [first = '', second = ''] = topics
  await consume(t, kafka, {
    topics: [first],
    group,
    options: WHOLE,
    eachBatch: async ({ batch }) => {
      const [one, two, three] = batch.messages
      assert.ok(one !== undefined && two !== undefined && three !== undefined)
      // By its context, by its copied headers, and by neither.
      await context.with(messageContext(one), () =>
        producer.send({ topic: second, messages: [{ value: one.value }] }),
      )
      await producer.send({ topic: second, messages: [{ value: two.value, headers: { ...two.headers } }] })
      await producer.send({ topic: second, messages: [{ value: three.value }] })
    },
  })
  const [process] = await processSpans(first, 1)
  assert.deepEqual(
    recorder
      .named(`send ${second}`)
      .map((span) => [span.kind, span.parentSpanContext?.spanId, span.spanContext().traceId]),
    [
      [SpanKind.PRODUCER, created[0]?.spanId, created[0]?.traceId],
      [SpanKind.PRODUCER, created[1]?.spanId, created[1]?.traceId],
      [SpanKind.PRODUCER, process?.spanContext().spanId, process?.spanContext().traceId],
    ],
  )
})

test(
  'a batch that failed in part comes again from where it was resolved to, as its next attempt',
  needsClient,
  async (t) => {
    const { kafka, topic, group } = await start(t, 4)
    const seen: string[][] = []
    await consume(t, kafka, {
      topics: [topic],
      group,
      options: WHOLE,
      eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
        seen.push(batch.messages.map(({ offset }) => offset))
        assert.deepEqual([isRunning(), isStale()], [true, false])
        await heartbeat()
        if (seen.length > 1) return
        resolveOffset('0')
        resolveOffset('1')
        throw new Error('the third')
      },
    })
    const [failed, retry] = await processSpans(topic, 2)
    assert.deepEqual(seen, [
      ['0', '1', '2', '3'],
      ['2', '3'],
    ])
    assert.equal(failed?.attributes['throughline.outcome'], 'release')
    assert.equal(failed?.status.message, 'the third')
    assert.equal(retry?.attributes['throughline.attempt'], 2)
    assert.deepEqual(retry?.links.at(-1)?.context.spanId, failed?.spanContext().spanId)
  },
)

test('what the application commits or resolves by itself has no outcome', needsClient, async (t) => {
  const { kafka, topic, group } = await start(t, 2)
  const outcomes = async (id: string, options: Parameters<typeof consume>[2]) => {
    recorder.reset()
    const consumer = await consume(t, kafka, { ...options, topics: [topic], group: `${group}-${id}` })
    const [span] = await eventually(() => {
      const spans = recorder.named(`process ${topic}`)
      assert.ok(spans.length > 0)
      return spans
    })
    await consumer.disconnect()
    return span?.attributes['throughline.outcome']
  }
  const eachMessage = async () => {}
  const consumers = { topics: [topic], group, eachMessage }
  const named = (options: object, kafkaJS = {}) => ({ ...consumers, options: { kafkaJS, ...options } })
  assert.equal(await outcomes('kafkajs', named({}, { autoCommit: false })), undefined)
  assert.equal(await outcomes('librdkafka', named({ 'enable.auto.commit': false })), undefined)
  // Of the two it is librdkafka's that the client takes.
  assert.equal(await outcomes('both', named({ 'enable.auto.commit': true }, { autoCommit: false })), 'accept')
  const eachBatch = async () => {}
  assert.equal(
    await outcomes('batch', { topics: [topic], group, eachBatch, eachBatchAutoResolve: false }),
    undefined,
  )
})

test('messages that are handled at the same time each stay in their own trace', needsClient, async (t) => {
  const { kafka, producer, topic, group } = await setUp(t, { partitions: 4 })
  recorder.reset()
  const roots = Array.from({ length: 40 }, (_, index) => tracer.startSpan(`request ${index}`))
  await Promise.all(
    roots.map((span, index) =>
      context.with(trace.setSpan(ROOT_CONTEXT, span), () =>
        producer.send({ topic, messages: [{ value: String(index), partition: index % 4 }] }),
      ),
    ),
  )
  for (const span of roots) span.end()
  const seen = new Map<string, string | undefined>()
  await consume(t, kafka, {
    topics: [topic],
    group,
    partitionsConsumedConcurrently: 4,
    eachMessage: async ({ message }) => {
      await new Promise((resolve) => setImmediate(resolve))
      seen.set(String(message.value), trace.getSpan(context.active())?.spanContext().traceId)
    },
  })
  await processSpans(topic, 40)
  for (const [index, span] of roots.entries()) {
    assert.equal(seen.get(String(index)), span.spanContext().traceId)
  }
  recorder.assertNoLeaks()
})
