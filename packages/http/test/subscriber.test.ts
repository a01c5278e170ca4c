import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Delivery,
  InvalidEventError,
  PermanentError,
  type Settlement,
  TooLargeError,
  UnavailableError,
  UnsupportedContentTypeError,
} from '@throughline/core'
import { httpTransport } from '@throughline/http'
import { eventually } from '@throughline/testkit'
import { ACCEPT, post, received } from './received.ts'
import { collect, problemCode, rawClient } from './support.ts'

const reject = (reason: Error, deadLettered = false): Settlement => ({
  outcome: 'reject',
  reason,
  deadLettered,
})

test('a request is a delivery with its headers and bytes, answered when it is settled', async (t) => {
  const { url, delivery, subscriber } = await received(t)
  const body = Uint8Array.from({ length: 256 }, (_, i) => i)
  const answer = post(`${url}?token=1`, body, {
    headers: { 'X-A': '1', 'Content-Type': 'a/b; c=d', 'ce-id': '1' },
  })
  const { message, position, attempt, signal } = await delivery(0)
  assert.deepEqual(new Uint8Array(message.body ?? []), body)
  assert.equal(message.contentType, 'a/b; c=d')
  assert.deepEqual(
    message.headers
      .filter(([name]) => /^(x-a|ce-id|content-type)$/i.test(name))
      .map(([name]) => name.toLowerCase()),
    ['x-a', 'ce-id'],
  )
  assert.deepEqual([position, attempt, signal?.aborted], [{ destination: '/events' }, 1, false])
  await subscriber.settle([await delivery(0), await delivery(0)], ACCEPT)
  const response = await answer
  assert.deepEqual([response.status, await response.text()], [204, ''])
  await subscriber.settle([await delivery(0)], reject(new Error('too late')))
})

test('bodies from nothing to a MiB arrive whole, with a length or in chunks', async (t) => {
  const { url, arrived, subscriber, delivery } = await received(t)
  for (const size of [0, 1, 256, 1024 * 1024]) {
    for (const streamed of [false, true]) {
      const body = Uint8Array.from({ length: size }, (_, i) => i % 256)
      const index = arrived.length
      const answer = fetch(url, {
        method: 'POST',
        body: streamed ? new Blob([body]).stream() : body,
        ...(streamed ? { duplex: 'half' } : {}),
      })
      assert.deepEqual(Buffer.from((await delivery(index)).message.body ?? []), Buffer.from(body))
      await subscriber.settle([await delivery(index)], ACCEPT)
      assert.equal((await answer).status, 204)
    }
  }
})

test('each outcome has its answer, a problem where it is no success', async (t) => {
  const { url, delivery, subscriber } = await received(t)
  const cases: [Settlement, number, object | null][] = [
    [ACCEPT, 204, null],
    [{ outcome: 'release', delayMs: 1500 }, 503, { code: 'TL_RELEASED' }],
    [
      reject(new InvalidEventError('id', '§3', 'is required')),
      400,
      { title: 'Bad Request', code: 'TL_EVENT_INVALID', attribute: 'id', detail: 'id: is required (§3)' },
    ],
    [reject(new UnsupportedContentTypeError('a/b', 'c/d')), 415, { code: 'TL_CONTENT_TYPE_UNSUPPORTED' }],
    [reject(new TooLargeError(5)), 413, { code: 'TL_TOO_LARGE' }],
    [reject(new PermanentError('no such order')), 422, { code: 'TL_PERMANENT', detail: 'no such order' }],
    [reject(new Error('db password is x')), 422, { detail: 'the event could not be processed' }],
    [reject(new PermanentError('bad'), true), 202, { detail: 'kept as a dead letter: bad' }],
  ]
  for (const [index, [outcome, status, expected]] of cases.entries()) {
    const answer = post(url)
    await subscriber.settle([await delivery(index)], outcome)
    const response = await answer
    assert.equal(response.status, status)
    assert.equal(response.headers.get('retry-after'), status === 503 ? '2' : null)
    if (expected === null) continue
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem: unknown = await response.json()
    assert.partialDeepStrictEqual(problem, { type: 'about:blank', status, ...expected })
  }
})

test('requests settle out of order, each with its own answer', async (t) => {
  const { url, delivery, subscriber } = await received(t)
  const first = post(url, '1')
  await delivery(0)
  const second = post(url, '2')
  await subscriber.settle([await delivery(1)], ACCEPT)
  assert.equal((await second).status, 204)
  await subscriber.settle([await delivery(0)], reject(new Error('no')))
  assert.equal((await first).status, 422)
})

test('an unknown path is 404, a wrong method 405 that names the right ones', async (t) => {
  const { url, port, arrived } = await received(t, { methods: ['POST', 'put'] })
  const unknown = await post(`http://127.0.0.1:${port}/eventsx`)
  assert.deepEqual([unknown.status, unknown.headers.get('content-type')], [404, 'application/problem+json'])
  const wrong = await fetch(url)
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST, PUT'])
  assert.equal(arrived.length, 0)
})

test('a full window is answered 503 at once, and is free again after an answer', async (t) => {
  const { url, delivery, subscriber, arrived } = await received(t, { window: 2 })
  const held = [post(url), post(url)]
  await delivery(1)
  const refused = await post(url)
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
  assert.equal(await problemCode(refused), 'TL_BUSY')
  await subscriber.settle(arrived, ACCEPT)
  assert.deepEqual(await Promise.all(held.map(async (answer) => (await answer).status)), [204, 204])
  const next = post(url)
  await subscriber.settle([await delivery(2)], ACCEPT)
  assert.equal((await next).status, 204)
})

test('a caller that goes away takes its delivery with it', async (t) => {
  const { port, delivery, subscriber } = await received(t, { window: 1 })
  const client = rawClient(port)
  client.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx')
  const { signal } = await delivery(0)
  client.socket.destroy()
  await eventually(() => assert.equal(signal?.aborted, true))
  await subscriber.settle([await delivery(0)], ACCEPT)
  const next = post(`http://127.0.0.1:${port}/events`)
  await subscriber.settle([await delivery(1)], ACCEPT)
  assert.equal((await next).status, 204)
})

test('a caller that goes away in the middle of its body is no delivery', async (t) => {
  const { port, url, delivery, subscriber } = await received(t, { window: 1 })
  const client = rawClient(port)
  client.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
  await eventually(async () => assert.equal((await post(url)).status, 503))
  client.socket.destroy()
  await eventually(async () => {
    const answer = post(url, 'whole')
    await subscriber.settle([await delivery(0)], ACCEPT)
    assert.equal((await answer).status, 204)
  })
  assert.equal(Buffer.from((await delivery(0)).message.body ?? []).toString(), 'whole')
})

test('what is not settled in time is answered 503 and is no longer ours', async (t) => {
  const { url, delivery, subscriber } = await received(t, { answerTimeoutMs: 30 })
  const response = await post(url)
  assert.equal(response.status, 503)
  assert.equal(await problemCode(response), 'TL_ANSWER_TIMEOUT')
  assert.equal((await delivery(0)).signal?.aborted, true)
  await subscriber.settle([await delivery(0)], ACCEPT)
})

test('while it drains, what is in flight is answered and what is new is refused', async (t) => {
  const { url, port, stop, delivery, subscriber, ended, transport } = await received(t)
  const inFlight = post(url)
  await delivery(0)
  const kept = rawClient(port)
  const half = rawClient(port)
  half.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
  kept.send('POST /none HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
  await eventually(() => assert.deepEqual(kept.statuses(), [404]))
  stop.abort()
  await ended
  await eventually(() => assert.deepEqual(half.statuses(), [503]))
  kept.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx')
  await kept.closed
  assert.deepEqual(kept.statuses(), [404, 503])
  assert.match(kept.received(), /connection: close.*TL_CLOSING/is)
  assert.equal((await post(url)).status, 503)

  await subscriber.settle([await delivery(0)], ACCEPT)
  const response = await inFlight
  assert.deepEqual([response.status, response.headers.get('connection')], [204, 'close'])
  await subscriber.close()
  assert.equal(transport.address(), null)
  await assert.rejects(post(url))
})

test('closing answers 503 to what nobody has settled', async (t) => {
  const { url, delivery, subscriber } = await received(t)
  const answer = post(url)
  const { signal } = await delivery(0)
  await subscriber.close()
  const response = await answer
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
  assert.equal(signal?.reason instanceof UnavailableError, true)
  await subscriber.settle([await delivery(0)], ACCEPT)
  await subscriber.close()
})

test('requests that come before anybody reads wait for a reader', async (t) => {
  const transport = httpTransport({ listen: ':0' })
  const subscriber = transport.subscriber({ path: '/' })
  await subscriber.open()
  t.after(() => subscriber.close())
  const client = rawClient(transport.address()?.port ?? 0)
  client.send('POST http://proxied.example?x=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx')
  const reader = collect(subscriber)
  await eventually(() => assert.equal(reader.arrived.length, 1))
  await subscriber.settle(reader.arrived, ACCEPT)
  await eventually(() => assert.deepEqual(client.statuses(), [204]))
  client.socket.destroy()
})

test('reading may end and begin again', async (t) => {
  const { url, subscriber, stop, ended } = await received(t)
  stop.abort()
  await ended
  assert.equal((await post(url)).status, 503)
  const again = collect(subscriber)
  const answer = post(url)
  await eventually(() => assert.equal(again.arrived.length, 1))
  await subscriber.settle(again.arrived, ACCEPT)
  assert.equal((await answer).status, 204)
})

test('a delivery tells who called', async (t) => {
  const { url, delivery, subscriber, transport, port } = await received(t)
  const answer = post(url, 'x', { headers: { 'user-agent': 'curl/8' } })
  const first: Delivery = await delivery(0)
  assert.deepEqual(transport.attributes.delivered(first), {
    'http.request.method': 'POST',
    'client.address': '127.0.0.1',
    'user_agent.original': 'curl/8',
  })
  assert.deepEqual(subscriber.attributes, { 'server.address': '127.0.0.1', 'server.port': port })
  await subscriber.settle([first], ACCEPT)
  await answer
})
