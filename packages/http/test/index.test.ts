import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, InvalidEventError, PermanentError, UnavailableError } from '@throughline/core'
import { http, httpTransport } from '@throughline/http'
import { withSpans } from '@throughline/testkit'

const HEADERS = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }

async function service(handler: (event: CloudEvent) => unknown, maxBodyBytes = 1024) {
  const broker = http({ listen: '127.0.0.1:0' })
  await broker.subscribe({ path: '/events', maxBodyBytes }, handler)
  const url = `http://127.0.0.1:${broker.address()?.port}/events`
  return { broker, url, [Symbol.asyncDispose]: () => broker.close() }
}

test('an event arrives as it was published, in either mode, and is confirmed by the handler', async () => {
  const events: CloudEvent[] = []
  await using received = await service((event) => events.push(event))
  const publisher = received.broker.publisher({ url: received.url })
  const event = {
    specversion: '1.0',
    id: '1',
    source: '/sensors/ä',
    type: 'com.example.sensor.reading',
    subject: 'Euro € 😀 "100%"',
    time: '2026-01-01T00:00:00.123456789+05:30',
    datacontenttype: 'application/json',
    data: { celsius: 21.5, list: [null, true] },
    ext: 'x',
  } as const
  for (const mode of ['binary', 'structured'] as const) {
    assert.deepEqual(await publisher.publish(event, { mode }), { ok: true, statusCode: 204 })
  }
  assert.deepEqual(events, [event, event])
})

test('a malformed event is answered with the attribute at fault', async () => {
  await using received = await service(() => assert.fail('no handler is called'))
  const structured = 'application/cloudevents+json'
  const { 'ce-id': _, ...withoutId } = HEADERS
  const cases: [headers: Record<string, string>, body: string, status: number, expected: object][] = [
    [withoutId, '', 400, { attribute: 'id' }],
    [{ ...HEADERS, 'ce-specversion': '0.3' }, '', 400, { attribute: 'specversion' }],
    [{ ...HEADERS, 'ce-subject': '%C0%A0' }, '', 400, { attribute: 'subject' }],
    [{ ...HEADERS, 'content-type': 'application/json' }, '{broken', 400, { attribute: 'data' }],
    [{ 'content-type': structured }, '{broken', 400, { code: 'TL_EVENT_INVALID' }],
    [
      { 'content-type': structured },
      '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data_base64":"AA=="}',
      400,
      { attribute: 'data_base64' },
    ],
    [
      { 'content-type': 'application/cloudevents-batch+avro' },
      '[]',
      415,
      { code: 'TL_CONTENT_TYPE_UNSUPPORTED' },
    ],
    [{ 'content-type': 'application/cloudevents+avro' }, 'x', 415, { code: 'TL_CONTENT_TYPE_UNSUPPORTED' }],
    [{ 'content-type': 'text/plain' }, 'hello', 415, { code: 'TL_CONTENT_TYPE_UNSUPPORTED' }],
    [{ ...HEADERS, 'content-type': 'text/plain' }, 'x'.repeat(2000), 413, { code: 'TL_TOO_LARGE' }],
  ]
  for (const [headers, body, status, expected] of cases) {
    const response = await fetch(received.url, { method: 'POST', headers, body })
    const problem: unknown = await response.json()
    assert.equal(response.status, status, JSON.stringify(problem))
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.partialDeepStrictEqual(problem, expected)
  }
})

test('what a handler throws is what its sender gets', async () => {
  let thrown: Error = new Error()
  await using received = await service(() => Promise.reject(thrown))
  const publisher = received.broker.publisher({ url: received.url, retry: false })
  const failure = async (error: Error) => {
    thrown = error
    const published = publisher.publish({ type: 't', source: '/s' })
    return published.then(
      () => assert.fail('published'),
      (reason: unknown) => reason,
    )
  }
  const refused = await failure(new PermanentError('no such sensor'))
  assert.ok(refused instanceof PermanentError)
  assert.equal(refused.message, `${received.url} answered 422: no such sensor`)
  const busy = await failure(new UnavailableError('later', { retryAfterMs: 7000 }))
  assert.ok(busy instanceof UnavailableError)
  assert.equal(busy.retryAfterMs, 7000)
  assert.ok((await failure(new Error('password'))) instanceof UnavailableError)
  assert.ok((await failure(new InvalidEventError('subject', '§1', 'no'))) instanceof PermanentError)
})

test('a hop is one trace: the process span is the child of the send span', async () => {
  await withSpans(async (spans) => {
    {
      await using received = await service(() => {})
      await received.broker.publisher({ url: received.url }).publish({ type: 't', source: '/s' })
    }
    const [send] = spans.tree()
    assert.equal(spans.tree().length, 1)
    assert.deepEqual([send?.name, send?.kind, send?.children?.length], ['send /events', 'PRODUCER', 1])
    const process = send?.children?.[0]
    assert.deepEqual([process?.name, process?.kind], ['process /events', 'CONSUMER'])
    assert.deepEqual(process?.links, [{ to: 'send /events' }])
    assert.equal(process?.attributes?.['user_agent.original'], 'throughline')
  })
})

test('the transport says what it is', () => {
  const { system, sendOperation, features } = httpTransport()
  assert.deepEqual([system, sendOperation, features.answersSender], ['http', 'send', true])
})
