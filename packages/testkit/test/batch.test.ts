import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createBroker } from '@throughline/core'
import { eventually, memoryTransport, otlpSink, type PlainSpan } from '@throughline/testkit'

const COUNT = 500

test('500 messages in one batch: what was exported leads from the process span to all 500 producers', async () => {
  const sink = await otlpSink()
  const exporter = new OTLPTraceExporter({ url: `${sink.url}/v1/traces` })
  const provider = new TracerProvider({
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: 10_000 })],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(provider)
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())

  const transport = memoryTransport()
  const broker = createBroker(transport)
  const publisher = broker.publisher({ destination: 'orders' })
  for (let index = 0; index < COUNT; index++) {
    await publisher.publish({ id: `order-${index}`, type: 'com.example.order', source: '/shop' })
  }
  const options = { destinations: ['orders'], window: COUNT, maxMessages: COUNT, maxWaitMs: 60_000 }
  await broker.subscribeBatch(options, (events) => assert.equal(events.length, COUNT))
  await eventually(() => assert.equal(transport.unsettled(), 0))
  await broker.close()
  await provider.forceFlush()

  const spans = sink.spans()
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const linked = (span: PlainSpan) => span.links.flatMap(({ spanId }) => byId.get(spanId) ?? [])
  const processed = spans.filter(({ name }) => name === 'process orders')
  assert.equal(processed.length, 1)
  const parts = processed.flatMap(linked)
  assert.ok(parts.every(({ traceId, links }) => traceId === processed[0]?.traceId && links.length <= 128))
  const producers = parts.flatMap(linked)
  assert.equal(new Set(producers.map(({ traceId }) => traceId)).size, COUNT)
  assert.deepEqual(
    producers.map(({ name, attributes }) => [name, attributes['cloudevents.event_id']]),
    Array.from({ length: COUNT }, (_, index) => ['send orders', `order-${index}`]),
  )
  assert.equal(parts[3]?.links.at(-1)?.attributes['cloudevents.event_id'], 'order-499')

  await provider.shutdown()
  await sink.close()
})
