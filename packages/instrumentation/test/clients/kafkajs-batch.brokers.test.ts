import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import type { EachBatchPayload } from 'kafkajs'
import { KafkaJsInstrumentation, messageContext } from '../../src/index.ts'
import { consume, setUp } from '../support/kafkajs.ts'

new KafkaJsInstrumentation()
const recorder = recordSpans()
const tracer = trace.getTracer('application')

/** One call a message, each in a trace of its own. */
async function start(t: TestContext, messages: number, topics = 1) {
  const setup = await setUp(t, { topics })
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  const { producer, topic } = setup
  const values = Array.from({ length: messages }, (_, index) => ({ value: String(index) }))
  await producer.send({ topic, messages: values })
  const created = recorder.named(`create ${topic}`).map((span) => span.spanContext())
  return { ...setup, created: messages === 1 ? [] : created }
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

test('a batch is one process span, linked to each message with what is its own', async (t) => {
  const { kafka, topic, group, created } = await start(t, 3)
  await consume(t, kafka, { topics: [topic], group, eachBatch: async () => {} })
  const [span] = await processSpans(topic, 1)
  assert.equal(span?.kind, SpanKind.CONSUMER)
  assert.equal(span?.parentSpanContext, undefined)
  assert.equal(span?.attributes['messaging.batch.message_count'], 3)
  assert.equal(span?.attributes['throughline.outcome'], 'accept')
  assert.deepEqual(
    span?.links.map((link) => [link.context.spanId, link.attributes?.['messaging.kafka.offset']]),
    created.map(({ spanId }, offset) => [spanId, offset]),
  )
})

test('no link of 300 messages is lost: they stand on parts', async (t) => {
  const { kafka, topic, group, created } = await start(t, 300)
  await consume(t, kafka, { topics: [topic], group, eachBatch: async () => {} })
  const [span] = await processSpans(topic, 1)
  const parts = recorder.named(`receive ${topic}`)
  assert.deepEqual(
    parts.map(({ attributes, links }) => [attributes['throughline.batch.part'], links.length]),
    [
      ['1/3', 128],
      ['2/3', 128],
      ['3/3', 44],
    ],
  )
  assert.deepEqual(
    parts.flatMap(({ links }) => links.map((link) => link.context.spanId)),
    created.map(({ spanId }) => spanId),
  )
  assert.deepEqual(
    span?.links.map((link) => link.context.spanId),
    parts.map((part) => part.spanContext().spanId),
  )
})

test('what is done on behalf of one message of a batch goes on in its trace', async (t) => {
  const { kafka, producer, topics, group, created } = await start(t, 3, 2)
  const [first = '', second = ''] = topics
  await consume(t, kafka, {
    topics: [first],
    group,
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
  const sends = recorder.named(`send ${second}`)
  assert.deepEqual(
    sends.map((span) => [span.kind, span.parentSpanContext?.spanId, span.spanContext().traceId]),
    [
      [SpanKind.PRODUCER, created[0]?.spanId, created[0]?.traceId],
      [SpanKind.PRODUCER, created[1]?.spanId, created[1]?.traceId],
      [SpanKind.PRODUCER, process?.spanContext().spanId, process?.spanContext().traceId],
    ],
  )
})

test('a message that is not of a traced batch has the active context', () => {
  const span = tracer.startSpan('request')
  const active = trace.setSpan(ROOT_CONTEXT, span)
  assert.equal(
    context.with(active, () => messageContext({})),
    active,
  )
  span.end()
})

test('a batch that failed in part comes again from where it was resolved to, as its next attempt', async (t) => {
  const { kafka, topic, group } = await start(t, 4)
  const seen: string[][] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale, uncommittedOffsets }) => {
      seen.push(batch.messages.map(({ offset }) => offset))
      assert.deepEqual([isRunning(), isStale()], [true, false])
      await heartbeat()
      if (seen.length > 1) return
      resolveOffset('0')
      resolveOffset('1')
      assert.equal(uncommittedOffsets().topics[0]?.partitions[0]?.offset, '2')
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
  assert.deepEqual(retry?.links.at(-1)?.attributes, { retry: true })
})

test('the handler is given what the client gives, and what it means to return is left to it', async (t) => {
  const { kafka, topic, group } = await start(t, 2)
  const payloads: EachBatchPayload[] = []
  const consumer = await consume(t, kafka, {
    topics: [topic],
    group,
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async (payload) => {
      payloads.push(payload)
      const { batch, resolveOffset, commitOffsetsIfNecessary } = payload
      // Not all of it: the rest comes in the next one.
      resolveOffset(batch.firstOffset() ?? '')
      const next = String(Number(batch.firstOffset()) + 1)
      await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition: 0, offset: next }] }] })
    },
  })
  const [first, second] = await processSpans(topic, 2)
  await consumer.stop()
  assert.equal(first?.attributes['throughline.outcome'], undefined)
  assert.equal(second?.attributes['throughline.attempt'], undefined)
  const [payload] = payloads
  assert.equal(payload?.batch.constructor.name, 'Batch')
  assert.equal(payload?.batch.lastOffset(), '1')
  assert.deepEqual(
    payload?.batch.messages.map(({ value }) => String(value)),
    ['0', '1'],
  )
})
