import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { type CloudEvent, type EventHandler, headerText, type Message } from '@throughline/core'
import { type HttpSubscriberOptions, http } from '@throughline/http'
import { eventually, withSpans } from '@throughline/testkit'
import { problemCode } from './support.ts'

const HEADERS = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }

async function handler(t: TestContext, run: EventHandler, options: Partial<HttpSubscriberOptions> = {}) {
  const broker = http()
  t.after(() => broker.close({ graceMs: 0 }))
  return broker.handler({ path: '/events', ...options }, run)
}

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

const request = (body: Body | null, init: RequestInit & { path?: string } = {}) =>
  new Request(`https://example.com${init.path ?? '/hooks/7?x=1'}`, {
    method: 'POST',
    headers: HEADERS,
    body,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    ...init,
  })

/** A body that gives these chunks and then nothing more; `end` says whether it ends. */
function stream(chunks: readonly string[], end = true) {
  const cancelled = Promise.withResolvers<void>()
  const left = [...chunks]
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = left.shift()
      if (chunk !== undefined) controller.enqueue(new TextEncoder().encode(chunk))
      else if (end) controller.close()
      else return new Promise(() => {})
    },
    cancel: () => cancelled.resolve(),
  })
  return { body, cancelled: cancelled.promise }
}

test('a request is an event, whatever its path, and the answer follows the handler', async (t) => {
  const events: CloudEvent[] = []
  const { fetch } = await handler(t, (event) => events.push(event))
  const structured = {
    headers: { 'content-type': 'application/cloudevents+json' },
    path: '/elsewhere',
  }
  const json = '{"specversion":"1.0","id":"2","source":"/s","type":"t","data":[1]}'
  for (const sent of [
    request(null),
    request(new Uint8Array()),
    request(json, structured),
    request(stream([json]).body, structured),
  ]) {
    const response = await fetch(sent)
    assert.deepEqual([response.status, await response.text()], [204, ''])
  }
  assert.deepEqual(
    events.map(({ id, data }) => [id, data]),
    [
      ['1', undefined],
      ['1', undefined],
      ['2', [1]],
      ['2', [1]],
    ],
  )
})

test('bodies and headers arrive whole', async (t) => {
  const broker = http()
  t.after(() => broker.close({ graceMs: 0 }))
  const messages: Message[] = []
  const { fetch } = await broker.handler({ path: '/', raw: true }, (message) => messages.push(message))
  for (const size of [0, 1, 256, 1024 * 1024]) {
    const body = Uint8Array.from({ length: size }, (_, i) => i % 256)
    const headers = { 'content-type': 'a/b; c=d', 'x-a': 'gr\u00c3\u00bcn' }
    assert.equal((await fetch(request(body, { headers }))).status, 204)
    assert.equal((await fetch(request(new Blob([body]).stream(), { headers }))).status, 204)
    for (const message of messages.splice(0)) {
      assert.deepEqual(Buffer.from(message.body ?? []), Buffer.from(body))
      assert.equal(message.contentType, 'a/b; c=d')
      assert.equal(headerText(message.headers, 'x-a'), 'grün')
      assert.equal(headerText(message.headers, 'content-type'), null)
    }
  }
})

test('a body over the limit is refused and not read to its end', async (t) => {
  const { fetch } = await handler(t, () => assert.fail('no event arrives'), { maxBodyBytes: 10 })
  const announced = await fetch(request('x', { headers: { ...HEADERS, 'content-length': '11' } }))
  const { body, cancelled } = stream(['x'.repeat(6), 'x'.repeat(6)], false)
  const grown = await fetch(request(body))
  for (const response of [announced, grown]) {
    assert.deepEqual([response.status, await problemCode(response)], [413, 'TL_TOO_LARGE'])
  }
  await cancelled
})

test('a body that never ends, or breaks off, is no event and holds no place', async (t) => {
  const options = { bodyTimeoutMs: 20, window: 1 }
  const { fetch } = await handler(t, () => {}, options)
  const { body, cancelled } = stream(['{"spec'], false)
  const endless = await fetch(request(body))
  assert.deepEqual([endless.status, await problemCode(endless)], [408, 'TL_BODY_TIMEOUT'])
  await cancelled
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) })
  assert.equal((await fetch(request(broken))).status, 503)
  assert.equal((await fetch(request(''))).status, 204)
})

test('an aborted request ends its delivery, and is answered all the same', async (t) => {
  const started = Promise.withResolvers<AbortSignal>()
  const { fetch } = await handler(t, (_, { signal }) => {
    started.resolve(signal)
    return new Promise(() => {})
  })
  const caller = new AbortController()
  const answer = fetch(request('', { signal: caller.signal }))
  const signal = await started.promise
  caller.abort()
  await eventually(() => assert.equal(signal.aborted, true))
  assert.equal(await problemCode(await answer), 'TL_CALLER_GONE')
  const before = await fetch(request('', { signal: AbortSignal.abort() }))
  assert.equal(await problemCode(before), 'TL_CALLER_GONE')
})

test('a body that was read before is told in words, and its sender keeps the event', async (t) => {
  const { fetch } = await handler(t, () => assert.fail('no event arrives'))
  const read = request('x')
  await read.text()
  const response = await fetch(read)
  assert.equal(response.status, 500)
  assert.match(await response.text(), /mount it before any body parser.*TL_BODY_USED/)
})

test('the process span is the child of the span that is active around the call', async (t) => {
  await withSpans(async (spans) => {
    const { fetch } = await handler(t, () => {})
    const sent = { ...HEADERS, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    await trace.getTracer('test').startActiveSpan('server', async (server) => {
      assert.equal((await fetch(request('', { headers: sent }))).status, 204)
      server.end()
    })
    const [server] = spans.tree()
    assert.deepEqual([server?.name, server?.children?.length], ['server', 1])
    const process = server?.children?.[0]
    assert.equal(process?.name, 'process /events')
    assert.equal(process?.links?.length, 1)
    assert.equal(trace.getSpan(context.active()), undefined)
  })
})

test('without a server around it, the process span goes on in the sender’s trace', async (t) => {
  await withSpans(async (spans) => {
    const { fetch } = await handler(t, () => {})
    const sent = { ...HEADERS, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    await fetch(request('', { headers: sent }))
    await fetch(request(''))
    const [known, unknown] = spans.finished()
    assert.equal(known?.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c')
    assert.equal(known?.parentSpanContext?.spanId, 'b7ad6b7169203331')
    assert.equal(unknown?.attributes['throughline.missing_context'], true)
  })
})
