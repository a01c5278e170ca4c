import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { context, propagation, trace } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { withSpans } from '@throughline/testkit'
import { instrument } from './instrumentation.ts'

// Instrumentations first, as an application starts with them; then what they patch is loaded.
// The server below is the test's means of looking at the wire, not a service: it makes no SERVER spans.
const nodeHttp = instrument(
  new HttpInstrumentation({ disableIncomingRequestInstrumentation: true }),
  new UndiciInstrumentation(),
)
const { http } = await import('@throughline/http')

const received: { readonly names: readonly string[]; readonly traceparent: string | undefined }[] = []
const server = nodeHttp.createServer((request, response) => {
  const names = request.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  received.push({ names, traceparent: request.headers.traceparent?.toString() })
  response.writeHead(request.url === '/events/busy' ? 503 : 204).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/events`
after(() => server.close())

test('the instrumentations are at work: calls of others get a span and a traceparent each', async () => {
  received.length = 0
  await withSpans(async (spans) => {
    await fetch(url, { method: 'POST' })
    const { request } = await import('node:http')
    const [response] = await once(request(url, { method: 'POST' }).end(), 'response')
    response.resume()
    await once(response, 'end')
    assert.deepEqual(
      spans.finished().map(({ name }) => name),
      ['POST', 'POST'],
    )
  })
  assert.equal(received.filter(({ traceparent }) => traceparent !== undefined).length, 2)
})

test('our call is hidden from them: one traceparent, that of the send span, and no span more', async () => {
  received.length = 0
  await using broker = http()
  const publisher = broker.publisher({ url })
  await withSpans(async (spans) => {
    const caller = trace.getTracer('test').startSpan('caller')
    const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
    const active = propagation.setBaggage(trace.setSpan(context.active(), caller), baggage)
    await context.with(active, () => publisher.publish({ type: 't', source: '/s', id: '1' }))
    caller.end()
    const [send] = spans.named('send /events')
    assert.deepEqual(
      spans.finished().map(({ name }) => name),
      ['caller', 'send /events'],
    )
    const { traceId, spanId } = send?.spanContext() ?? caller.spanContext()
    assert.equal(received[0]?.traceparent, `00-${traceId}-${spanId}-01`)
    assert.equal(send?.parentSpanContext?.spanId, caller.spanContext().spanId)
  })
  assert.equal(received.length, 1)
  for (const name of ['traceparent', 'baggage']) {
    assert.equal(received[0]?.names.filter((each) => each === name).length, 1, name)
  }
})

test('the send span has the facts of the request and of its answer', async () => {
  await using broker = http()
  const publisher = broker.publisher({ url: `${url}?token=secret` })
  await withSpans(async (spans) => {
    await publisher.publish({ type: 't', source: '/s', id: '1' })
    assert.deepEqual(spans.tree(), [
      {
        name: 'send /events',
        kind: 'PRODUCER',
        trace: 1,
        parent: null,
        attributes: {
          'messaging.system': 'http',
          'messaging.operation.name': 'send',
          'messaging.operation.type': 'send',
          'messaging.destination.name': '/events',
          'messaging.message.id': '1',
          'http.request.method': 'POST',
          'http.response.status_code': 204,
          'server.address': '127.0.0.1',
          'server.port': Number(new URL(url).port),
          'url.full': `${url}?token=REDACTED`,
          'cloudevents.event_id': '1',
          'cloudevents.event_source': '/s',
          'cloudevents.event_spec_version': '1.0',
          'cloudevents.event_type': 't',
        },
      },
    ])
  })
})

test('requests that are sent again are one span, and one context', async () => {
  received.length = 0
  await using broker = http()
  const publisher = broker.publisher({ url: `${url}/busy`, retry: { attempts: 3, minMs: 1 } })
  await withSpans(async (spans) => {
    await assert.rejects(publisher.publish({ type: 't', source: '/s' }))
    const [send] = spans.finished()
    assert.equal(spans.finished().length, 1)
    assert.equal(send?.attributes['http.response.status_code'], 503)
    assert.equal(send?.attributes['http.request.resend_count'], 2)
    assert.equal(send?.attributes['error.type'], 'TL_HTTP_UNAVAILABLE')
    const { traceId, spanId } = send.spanContext()
    assert.deepEqual(
      received.map(({ traceparent }) => traceparent),
      Array(3).fill(`00-${traceId}-${spanId}-01`),
    )
  })
})
