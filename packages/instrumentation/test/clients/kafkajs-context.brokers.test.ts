import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'
import { eventually, recordMetrics, recordSpans } from '@throughline/testkit'
import type { IHeaders } from 'kafkajs'
import { KafkaJsInstrumentation } from '../../src/index.ts'
import { consume, frozen, read, setUp } from '../support/kafkajs.ts'
import { unlisted } from '../support/unlisted.ts'

const instrumentation = new KafkaJsInstrumentation()
const recorder = recordSpans()
const metrics = recordMetrics()
after(() => metrics.stop())
const tracer = trace.getTracer('application')

async function start(t: TestContext, options?: Parameters<typeof setUp>[1]) {
  const setup = await setUp(t, options)
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  return setup
}

/** Reads with the instrumentation off, so that nothing of what is seen is its own. */
async function readUntraced(t: TestContext, ...args: [Parameters<typeof read>[1], string, number]) {
  instrumentation.disable()
  t.after(() => instrumentation.enable())
  return read(t, ...args)
}

const names = (headers: IHeaders | undefined) => Object.keys(headers ?? {}).sort()

test('what the application gives is not changed, and its bytes arrive as bytes', async (t) => {
  const { kafka, producer, topic } = await start(t)
  const bytes = Buffer.from([0, 255, 128, 1])
  const record = frozen({
    topic,
    acks: -1,
    messages: [
      { key: bytes, value: bytes, headers: { raw: bytes, twice: ['a', bytes], text: 'ä' } },
      { value: 'no headers', partition: 0, timestamp: '1700000000000' },
    ],
  })
  const before = structuredClone(record)
  await producer.send(record)
  await producer.send({ topic, messages: [record.messages[0] ?? assert.fail()] })
  assert.deepEqual(structuredClone(record), before)
  const [first, second, third] = await readUntraced(t, kafka, topic, 3)
  for (const message of [first, third]) {
    assert.deepEqual(message?.key, bytes)
    assert.deepEqual(message?.value, bytes)
    assert.deepEqual(names(message?.headers), ['raw', 'text', 'traceparent', 'twice'])
    assert.deepEqual(message?.headers?.raw, bytes)
    assert.deepEqual(message?.headers?.twice, [Buffer.from('a'), bytes])
  }
  // Its time is its own.
  assert.deepEqual(names(second?.headers), ['throughline-sent-at', 'traceparent'])
})

test('what cannot be copied is sent as it is, and its span ends', async (t) => {
  const { kafka, producer, topic } = await start(t)
  await producer.send(unlisted({ topic, messages: [{ value: 'one' }] }))
  await producer.sendBatch({ topicMessages: [unlisted({ topic, messages: [{ value: 'two' }] })] })
  await producer.sendBatch(unlisted({ topicMessages: [{ topic, messages: [{ value: 'three' }] }] }))
  const messages = await readUntraced(t, kafka, topic, 3)
  assert.deepEqual(
    messages.map(({ value }) => String(value)),
    ['one', 'two', 'three'],
  )
  assert.equal(recorder.finished().filter(({ name }) => name === `send ${topic}`).length, 3)
  recorder.assertNoLeaks()
})

test('a context that the application made for a message stays, and the send links to it', async (t) => {
  const { kafka, producer, topic } = await start(t)
  const own = tracer.startSpan('order placed')
  const headers: Record<string, string> = {}
  propagation.inject(trace.setSpan(ROOT_CONTEXT, own), headers)
  own.end()
  await producer.send({ topic, messages: [{ value: 'one', headers: frozen(headers) }] })
  const [send] = recorder.named(`send ${topic}`)
  assert.equal(send?.kind, SpanKind.CLIENT)
  assert.deepEqual(
    send?.links.map((link) => link.context.spanId),
    [own.spanContext().spanId],
  )
  const [message] = await readUntraced(t, kafka, topic, 1)
  assert.equal(String(message?.headers?.traceparent), headers.traceparent)
  assert.equal(message?.headers?.['throughline-sent-at'], undefined)
})

test('headers that are copied from the message being handled are replaced: what is sent is the next hop', async (t) => {
  const { kafka, producer, topics, group } = await start(t, { topics: 2 })
  const [first = '', second = ''] = topics
  await producer.send({ topic: first, messages: [{ value: 'one', headers: { tenant: 'a' } }] })
  await consume(t, kafka, {
    topics,
    group,
    eachMessage: async ({ topic, message: { value, headers } }) => {
      if (topic === first) {
        await producer.send({ topic: second, messages: [{ value, ...(headers && { headers }) }] })
      }
    },
  })
  await eventually(() => assert.equal(recorder.finished().length, 4), { timeoutMs: 30_000 })
  const [root] = recorder.tree()
  const process = root?.children?.[0]
  assert.deepEqual(
    [root?.name, process?.name, process?.children?.[0]?.name, process?.children?.[0]?.children?.[0]?.name],
    [`send ${first}`, `process ${first}`, `send ${second}`, `process ${second}`],
  )
  assert.equal(recorder.tree().length, 1)
})

test('messages that are sent and handled at the same time each stay in their own trace', async (t) => {
  const { kafka, producer, topic, group } = await start(t, { partitions: 4 })
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
  await eventually(() => assert.equal(recorder.named(`process ${topic}`).length, 40), { timeoutMs: 30_000 })
  for (const [index, span] of roots.entries()) {
    assert.equal(seen.get(String(index)), span.spanContext().traceId)
  }
})

test('an unsampled trace and its baggage are carried on, and counted', async (t) => {
  const { kafka, producer, topic, group } = await start(t)
  const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
  const unsampled = trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: TraceFlags.NONE })
  const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
  await context.with(propagation.setBaggage(unsampled, baggage), () =>
    producer.send({ topic, messages: [{ value: 'one' }] }),
  )
  const seen: unknown[] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async () => {
      const active = context.active()
      const span = trace.getSpanContext(active)
      seen.push([span?.traceId, span?.traceFlags, propagation.getBaggage(active)?.getEntry('tenant')?.value])
    },
  })
  await eventually(() => assert.deepEqual(seen, [[parent.traceId, TraceFlags.NONE, 'a']]), {
    timeoutMs: 30_000,
  })
  assert.deepEqual(recorder.finished(), [])
  const counted = async (name: string) => {
    const series = await metrics.series(name)
    const own = series.find(({ attributes }) => attributes['messaging.destination.name'] === topic)
    return own && [own.count, own.boundaries.length > 0]
  }
  await eventually(async () => {
    assert.deepEqual(await counted('messaging.client.sent.messages'), [1, false])
    assert.deepEqual(await counted('messaging.client.operation.duration'), [1, true])
    assert.deepEqual(await counted('messaging.client.consumed.messages'), [1, false])
    assert.deepEqual(await counted('messaging.process.duration'), [1, true])
    assert.deepEqual(await counted('throughline.queue.duration'), [1, true])
  })
})
