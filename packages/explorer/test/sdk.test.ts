import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { answerOf, journeyAnswer } from './answer.ts'
import { temporaryExplorer } from './temporary.ts'

test('what the OpenTelemetry SDK exports is one journey', async (context) => {
  const explorer = await temporaryExplorer(context)
  const tracerOf = (service: string) => {
    const exporter = new OTLPTraceExporter({ url: `${explorer.otlpUrl}/v1/traces` })
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': service }),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    })
    context.after(() => provider.shutdown())
    return { tracer: provider.getTracer('test'), flush: () => provider.forceFlush() }
  }
  const attributes = (operation: string) => ({
    'messaging.system': 'kafka',
    'messaging.operation.type': operation,
    'messaging.destination.name': 'orders',
    'cloudevents.event_id': 'sdk-1',
  })
  const shop = tracerOf('shop')
  const stock = tracerOf('stock')
  const send = shop.tracer.startSpan('send orders', {
    kind: SpanKind.PRODUCER,
    attributes: attributes('send'),
  })
  const process = stock.tracer.startSpan(
    'process orders',
    { kind: SpanKind.CONSUMER, attributes: attributes('process'), links: [{ context: send.spanContext() }] },
    trace.setSpanContext(ROOT_CONTEXT, { ...send.spanContext(), isRemote: true }),
  )
  process.recordException(new Error('no stock'))
  process.end()
  send.end()
  await Promise.all([shop.flush(), stock.flush()])

  const journey = await answerOf(fetch(`${explorer.url}/api/journeys/sdk-1`), journeyAnswer)
  assert.deepEqual(journey.traceIds, [send.spanContext().traceId])
  assert.equal(journey.spans.length, 2)
  assert.deepEqual(journey.services, ['shop', 'stock'])
  assert.deepEqual(journey.findings, [])
})
