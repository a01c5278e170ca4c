import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { otlpSink, type PlainSpan, tree } from '@throughline/testkit'

test('the real exporter is received as protobuf and decoded', async () => {
  const sink = await otlpSink()
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'station' }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${sink.url}/v1/traces` }) }),
    ],
  })
  const tracer = provider.getTracer('test')
  const linked = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
  const span = tracer.startSpan('send orders', {
    kind: SpanKind.PRODUCER,
    attributes: { text: 'ü', integer: 42, real: 1.5, yes: true, list: ['a', 'b'] },
    links: [{ context: linked, attributes: { replay: true } }],
    startTime: [1_700_000_000, 5],
  })
  span.addEvent('confirmed', { offset: 7 })
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' })
  span.end([1_700_000_001, 0])
  await provider.forceFlush()
  assert.deepEqual(sink.spans(), [
    {
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parentSpanId: '',
      name: 'send orders',
      kind: 'PRODUCER',
      service: 'station',
      attributes: { text: 'ü', integer: 42, real: 1.5, yes: true, list: ['a', 'b'] },
      links: [{ traceId: linked.traceId, spanId: linked.spanId, attributes: { replay: true } }],
      events: [{ name: 'confirmed', attributes: { offset: 7 } }],
      startUnixNanos: 1_700_000_000_000_000_005n,
      endUnixNanos: 1_700_000_001_000_000_000n,
      status: { code: 'ERROR', message: 'no' },
    },
  ])
  assert.ok(sink.requests[0] && sink.requests[0].body.byteLength > 0)
  await provider.shutdown()
  await sink.close()
})

const golden = join(import.meta.dirname, '../../../../shared/golden/otlp.json')
const needsShared = existsSync(golden) ? {} : { skip: 'needs ../shared: the test data beside the repository' }

test('JSON is decoded to the same shape, compressed or not', needsShared, async () => {
  const json = await readFile(golden)
  const sink = await otlpSink()
  for (const [encoding, body] of [
    ['identity', json],
    ['gzip', gzipSync(json)],
  ] as const) {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
    const response = await fetch(`${sink.url}/v1/traces`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    assert.deepEqual(await response.json(), {})
  }
  const spans = sink.spans()
  const half = spans.length / 2
  assert.deepEqual(spans.slice(0, half), spans.slice(half))
  assert.equal(spans[0]?.name, 'send /events')
  assert.equal(spans[0]?.service, 'station')
  assert.equal(spans[0]?.kind, 'PRODUCER')
  assert.equal(spans[0]?.attributes['http.response.status_code'], 204)
  assert.equal(spans[0]?.startUnixNanos, 1795251847000000000n)
  sink.reset()
  assert.equal(sink.spans().length, 0)
  await sink.close()
})

test('spans that were received are a tree as recorded ones are, in the order of their start', () => {
  const traceId = 'a'.repeat(32)
  const received = (name: string, spanId: string, parentSpanId: string, start: bigint): PlainSpan => ({
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: 'INTERNAL',
    service: 'station',
    attributes: { key: 'k', offset: 2n ** 60n },
    links: parentSpanId === '' ? [] : [{ traceId, spanId: parentSpanId, attributes: {} }],
    events: [{ name: 'seen', attributes: {} }],
    startUnixNanos: start,
    endUnixNanos: start,
    status: { code: parentSpanId === '' ? 'OK' : 'UNSET', message: '' },
  })
  const spans = [received('b', '3', '1', 3n), received('b', '2', '1', 2n), received('a', '1', '', 1n)]
  const same = {
    kind: 'INTERNAL',
    trace: 1,
    attributes: { offset: 2n ** 60n },
    events: [{ name: 'seen' }],
  }
  const child = { name: 'b', ...same, parent: 'a', links: [{ to: 'a' }] }
  assert.deepEqual(tree(spans, { omit: ['key'] }), [
    { name: 'a', ...same, parent: null, status: { code: 'OK' }, children: [child, child] },
  ])
})

test('the answer can be an error, to see what an exporter does', async () => {
  const sink = await otlpSink()
  sink.answer(503)
  const response = await fetch(`${sink.url}/v1/traces`, { method: 'POST', body: 'x' })
  assert.equal(response.status, 503)
  assert.throws(() => sink.spans())
  await sink.close()
})
