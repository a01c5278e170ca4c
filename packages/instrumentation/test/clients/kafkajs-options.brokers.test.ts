import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import { type Context, context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { messageContext } from '../../src/index.ts'
import type { ClientInstrumentationConfig } from '../../src/options.ts'
import { kafkajs } from '../support/carriers/kafkajs.ts'
import { connected, consume, loadKafkaJs, setUp } from '../support/kafkajs.ts'

// What all clients have in common is tested for it too: *-every-client.brokers.test.ts.
const { instrumentation, methods } = kafkajs
const recorder = recordSpans()

test('a version that is not known is left alone', () => {
  const manifest = createRequire(import.meta.url)('kafkajs/package.json') as { version: string }
  assert.match(manifest.version, /^2\./)
  instrumentation.disable()
  const [definition] = instrumentation.getModuleDefinitions()
  const module = loadKafkaJs()
  definition?.patch?.(module, '3.0.0')
  assert.deepEqual(methods.now(), methods.originals)
  definition?.patch?.(module, '2.0.0-beta.1')
  assert.notDeepEqual(methods.now(), methods.originals)
  instrumentation.enable()
})

test('enabled again, it knows the server of clients that were made before', async (t) => {
  const { kafka, topic } = await setUp(t)
  instrumentation.disable()
  instrumentation.enable()
  recorder.reset()
  const producer = await connected(t, kafka.producer())
  await producer.send({ topic, messages: [{ value: 'one' }] })
  const [span] = recorder.finished()
  assert.equal(span?.attributes['server.address'], '127.0.0.1')
  assert.equal(span?.attributes['messaging.client.id'], 'app')
})

test('of several messages with a send span each, none is told the offset of another', async (t) => {
  configure(t, { createSpans: false })
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

const BAGGAGE = propagation.createBaggage({ tenant: { value: 'eu' } })
for (const [config, links, isContinued, tenant] of [
  [{}, 2, true, 'eu'],
  [{ linkage: 'link' }, 2, false, 'eu'],
  [{ trust: 'link' }, 2, false, undefined],
  [{ trust: 'ignore' }, 0, false, undefined],
] as const) {
  test(`${JSON.stringify(config)} says what the contexts of a batch's messages may do`, async (t) => {
    configure(t, config)
    const { kafka, producer, topic, group } = await setUp(t)
    recorder.reset()
    await context.with(propagation.setBaggage(ROOT_CONTEXT, BAGGAGE), () =>
      producer.send({ topic, messages: [{ value: 'one' }, { value: 'two' }] }),
    )
    const created = recorder.named(`create ${topic}`).map((span) => span.spanContext())
    let contexts: Context[] = []
    await consume(t, kafka, {
      topics: [topic],
      group,
      eachBatch: async ({ batch: { messages } }) => {
        contexts = messages.map(messageContext)
      },
    })
    const [process] = await eventually(() => {
      const spans = recorder.named(`process ${topic}`)
      assert.equal(spans.length, 1)
      return spans
    })
    assert.equal(process?.parentSpanContext, undefined)
    assert.deepEqual(
      process?.links.map((link) => link.context.spanId),
      created.slice(0, links).map(({ spanId }) => spanId),
    )
    assert.deepEqual(
      contexts.map((each) => [
        trace.getSpanContext(each)?.spanId,
        propagation.getBaggage(each)?.getEntry('tenant')?.value,
      ]),
      created.map(({ spanId }) => [isContinued ? spanId : undefined, tenant]),
    )
  })
}

function configure(t: TestContext, config: ClientInstrumentationConfig): void {
  instrumentation.setConfig(config)
  t.after(() => instrumentation.setConfig({}))
}

const fault = (): never => {
  throw new Error('injected')
}
const faults: Readonly<Record<string, (t: TestContext) => void>> = {
  'hooks and a template that throw': (t) =>
    configure(t, { producerHook: fault, consumerHook: fault, template: fault }),
  'a tracer that throws': (t) => {
    instrumentation.setTracerProvider({ getTracer: () => ({ startSpan: fault, startActiveSpan: fault }) })
    t.after(() => instrumentation.setTracerProvider(recorder.tracerProvider))
  },
  'a propagator that throws': (t) => {
    propagation.disable()
    propagation.setGlobalPropagator({ inject: fault, extract: fault, fields: () => [] })
    t.after(() => {
      propagation.disable()
      propagation.setGlobalPropagator(recorder.propagator)
    })
  },
}
for (const [what, inject] of Object.entries(faults)) {
  test(`who sends and handles batches does not notice ${what}`, async (t) => {
    inject(t)
    const { kafka, producer, topic, group } = await setUp(t)
    const messages = [
      { key: 'a', value: 'one', headers: { tenant: 'a' } },
      { value: null, key: 'b', headers: { tenant: 'b' } },
    ]
    const [record] = await producer.sendBatch({ topicMessages: [{ topic, messages }] })
    assert.equal(record?.baseOffset, '0')
    const seen: string[] = []
    await consume(t, kafka, {
      topics: [topic],
      group,
      eachBatch: async ({ batch }) => {
        for (const { key, value, headers } of batch.messages) seen.push(`${key} ${value} ${headers?.tenant}`)
      },
    })
    await eventually(() => assert.deepEqual(seen, ['a one a', 'b null b']), { timeoutMs: 30_000 })
    recorder.assertNoLeaks()
  })
}
