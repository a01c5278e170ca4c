import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, type TestContext, test } from 'node:test'
import { propagation, SpanKind } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { KafkaJsInstrumentation } from '../src/index.ts'
import type { ClientInstrumentationConfig, MessageInfo } from '../src/options.ts'
import { consume, loadKafkaJs, setUp } from './support/kafkajs.ts'

// Its hooks are there when the client is loaded, and it is off: what is seen first is the client's own.
const instrumentation = new KafkaJsInstrumentation()
instrumentation.disable()
const recorder = recordSpans()
const originals: unknown[] = []
const wrapped = () => {
  const { Kafka } = loadKafkaJs()
  return [Kafka, Kafka.prototype.producer, Kafka.prototype.consumer, Kafka.prototype.constructor]
}
before(() => {
  originals.push(...wrapped())
  instrumentation.enable()
})
after(() => instrumentation.disable())

const fault = (): never => {
  throw new Error('injected')
}

/** One message that is sent and handled, by clients made with these options. */
async function sendAndHandle(t: TestContext, config: ClientInstrumentationConfig, finished = 2) {
  instrumentation.setConfig(config)
  const { kafka, producer, topic, group } = await setUp(t)
  recorder.reset()
  await producer.send({ topic, messages: [{ value: 'one', headers: { tenant: 'a' } }] })
  const seen: string[][] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async ({ message }) => void seen.push(Object.keys(message.headers ?? {})),
  })
  await eventually(() => assert.equal(seen.length, 1), { timeoutMs: 30_000 })
  await eventually(() => assert.equal(recorder.finished().length, finished))
  recorder.assertNoLeaks()
  const [send, process] = recorder.finished()
  return { topic, headers: seen[0] ?? [], send, process }
}

test('disabled, the client is what it was; enabled again, it is traced again', async (t) => {
  const { send } = await sendAndHandle(t, {})
  assert.equal(send?.kind, SpanKind.PRODUCER)
  const { producer, topic } = await setUp(t)
  instrumentation.disable()
  recorder.reset()
  assert.deepEqual(wrapped(), originals)
  // A producer that was made before runs alone.
  await producer.send({ topic, messages: [{ value: 'one' }] })
  assert.deepEqual(recorder.finished(), [])
  instrumentation.enable()
  assert.notDeepEqual(wrapped(), originals)
  await producer.send({ topic, messages: [{ value: 'two' }] })
  assert.equal(recorder.finished().length, 1)
})

test('a topic that is ignored is left alone', async (t) => {
  const { headers } = await sendAndHandle(t, { ignore: [/^kafkajs-/] }, 0)
  assert.deepEqual(headers, ['tenant'])
})

test('with linkage `link` the handler has a trace of its own, with a link', async (t) => {
  const { send, process } = await sendAndHandle(t, { linkage: 'link' })
  assert.equal(process?.parentSpanContext, undefined)
  assert.deepEqual(process?.links[0]?.context.spanId, send?.spanContext().spanId)
})

test('a context that is not trusted is not continued, nor linked to', async (t) => {
  const { send, process } = await sendAndHandle(t, { trust: 'ignore' })
  assert.notEqual(process?.spanContext().traceId, send?.spanContext().traceId)
  assert.deepEqual(process?.links, [])
})

test('with propagate `none` nothing of the context is sent', async (t) => {
  const { headers, process } = await sendAndHandle(t, { propagate: 'none' })
  assert.deepEqual(headers, ['tenant'])
  assert.equal(process?.attributes['throughline.missing_context'], true)
})

test('templates name spans, hooks see spans and messages, capture adds what is asked for', async (t) => {
  const seen: MessageInfo[] = []
  const { topic, send, process } = await sendAndHandle(t, {
    template: () => 'orders-{id}',
    producerHook: (span, info) => {
      seen.push(info)
      span.setAttribute('hook', 'sent')
    },
    consumerHook: (span, info) => {
      seen.push(info)
      span.setAttribute('hook', 'handled')
    },
    capture: { headers: ['tenant'], bodySize: true },
  })
  assert.deepEqual([send?.name, process?.name], ['send orders-{id}', 'process orders-{id}'])
  assert.deepEqual([send?.attributes.hook, process?.attributes.hook], ['sent', 'handled'])
  for (const span of [send, process]) {
    assert.equal(span?.attributes['messaging.destination.name'], topic)
    assert.deepEqual(span?.attributes['messaging.header.tenant'], ['a'])
    assert.equal(span?.attributes['messaging.message.body.size'], 3)
  }
  assert.deepEqual(
    seen.map(({ destination }) => destination),
    [topic, topic],
  )
})

test('hooks and templates that throw are not noticed', async (t) => {
  const config = { producerHook: fault, consumerHook: fault, template: fault }
  const { topic, send, process } = await sendAndHandle(t, config)
  assert.deepEqual([send?.name, process?.name], [`send ${topic}`, `process ${topic}`])
})

test('a propagator that throws is not noticed', async (t) => {
  propagation.disable()
  propagation.setGlobalPropagator({ inject: fault, extract: fault, fields: () => [] })
  t.after(() => {
    propagation.disable()
    propagation.setGlobalPropagator(recorder.propagator)
  })
  const { headers } = await sendAndHandle(t, {}, 1)
  assert.deepEqual(headers, ['tenant'])
})

test('a tracer that throws is not noticed', async (t) => {
  const tracer = { startSpan: fault, startActiveSpan: fault }
  instrumentation.setTracerProvider({ getTracer: () => tracer })
  t.after(() => instrumentation.setTracerProvider(recorder.tracerProvider))
  const { headers } = await sendAndHandle(t, {}, 0)
  assert.deepEqual(headers, ['tenant'])
})

test('a version that is not known is left alone', () => {
  const manifest = createRequire(import.meta.url)('kafkajs/package.json') as { version: string }
  assert.match(manifest.version, /^2\./)
  instrumentation.disable()
  const [definition] = instrumentation.getModuleDefinitions()
  const module = loadKafkaJs()
  definition?.patch?.(module, '3.0.0')
  assert.deepEqual(wrapped(), originals)
  definition?.patch?.(module, '2.0.0-beta.1')
  assert.notDeepEqual(wrapped(), originals)
  instrumentation.enable()
})

test('of several messages with a send span each, none is told the offset of another', async (t) => {
  instrumentation.setConfig({ createSpans: false })
  const { producer, topic } = await setUp(t)
  recorder.reset()
  await producer.send({ topic, messages: [{ value: 'one' }, { value: 'two' }, { value: 'three' }] })
  const spans = recorder.finished()
  assert.equal(spans.length, 3)
  for (const { kind, attributes } of spans) {
    assert.equal(kind, SpanKind.PRODUCER)
    assert.equal(attributes['messaging.destination.partition.id'], '0')
    assert.equal(attributes['messaging.kafka.offset'], undefined)
  }
})
