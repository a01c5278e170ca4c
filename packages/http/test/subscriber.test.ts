import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type Delivery,
  InvalidEventError,
  PermanentError,
  type Settlement,
  TooLargeError,
  UnavailableError,
  UnsupportedContentTypeError,
} from '@throughline/core'
import { type HttpOptions, type HttpSubscriberOptions, httpTransport } from '@throughline/http'
import { eventually } from '@throughline/testkit'
import { collect, problemCode, rawClient, rawServer } from './support.ts'

const ACCEPT: Settlement = { outcome: 'accept' }
const reject = (reason: Error, deadLettered = false): Settlement => ({
  outcome: 'reject',
  reason,
  deadLettered,
})

/** A subscriber that listens, with a reader that settles nothing by itself. */
async function received(
  context: TestContext,
  options: Partial<HttpSubscriberOptions> = {},
  server: HttpOptions = {},
) {
  const transport = httpTransport({ listen: '127.0.0.1:0', ...server })
  const subscriber = transport.subscriber({ path: '/events', ...options })
  await subscriber.open()
  const stop = new AbortController()
  const reader = collect(subscriber, stop.signal)
  const port = transport.address()?.port ?? 0
  context.after(() => subscriber.close())
  return {
    transport,
    subscriber,
    stop,
    port,
    url: `http://127.0.0.1:${port}/events`,
    arrived: reader.arrived,
    ended: reader.ended,
    /** The delivery of this number, once it is there. */
    delivery: (index: number) =>
      eventually(() => {
        const delivery = reader.arrived[index]
        assert.ok(delivery, `delivery ${index} has not arrived`)
        return delivery
      }),
  }
}

const post = (url: string, body: string | Uint8Array<ArrayBuffer> = 'x', init: RequestInit = {}) =>
  fetch(url, { method: 'POST', body, ...init })

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

test('paths of one server go to their own subscribers; one path has only one', async (t) => {
  const { transport, port, subscriber } = await received(t)
  const other = transport.subscriber({ path: '/other' })
  await other.open()
  const reader = collect(other)
  const answer = post(`http://127.0.0.1:${port}/other`)
  await eventually(() => assert.equal(reader.arrived.length, 1))
  await other.settle(reader.arrived, ACCEPT)
  assert.equal((await answer).status, 204)
  await assert.rejects(transport.subscriber({ path: '/events' }).open(), { code: 'TL_PATH_TAKEN' })

  await subscriber.close()
  assert.equal((await post(`http://127.0.0.1:${port}/events`)).status, 404)
  assert.equal(transport.address()?.port, port)
  await other.close()
  assert.equal(transport.address(), null)
})

test('a body that announces too much is answered before it is sent', async (t) => {
  const { port, arrived } = await received(t, { maxBodyBytes: 10 })
  const client = rawClient(port)
  client.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n')
  await client.closed
  assert.deepEqual(client.statuses(), [413])
  assert.match(client.received(), /body of 1000000000 bytes is over the limit of 10 bytes/)
  assert.match(client.received(), /connection: close/i)
  assert.equal(arrived.length, 0)
})

test('a body that turns out too long is answered while it is still being sent', async (t) => {
  const { port, arrived } = await received(t, { maxBodyBytes: 10 })
  const client = rawClient(port)
  client.send('POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`
  client.send(chunk.repeat(20))
  await eventually(() => assert.deepEqual(client.statuses(), [413]))
  await client.closed
  assert.match(client.received(), /"code":"TL_TOO_LARGE"/)
  assert.equal(arrived.length, 0)
})

test('a client that sends far more than allowed still hears the answer', async (t) => {
  const { url } = await received(t, { maxBodyBytes: 1000 })
  for (let i = 0; i < 20; i++) {
    const response = await post(url, new Uint8Array(2_000_000))
    assert.equal(response.status, 413)
    assert.equal(await problemCode(response), 'TL_TOO_LARGE')
  }
})

test('a client that has been answered may go on sending for a while: its connection is not reset', async (t) => {
  const { port } = await received(t, { maxBodyBytes: 1000 })
  const client = rawClient(port)
  client.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n')
  await eventually(() => assert.deepEqual(client.statuses(), [413]))
  const sent = await new Promise((resolve) =>
    client.socket.write(Buffer.alloc(3_000_000), (error) => resolve(error ?? 'all')),
  )
  assert.equal(sent, 'all')
  await client.closed
})

test('a client that asks before it sends is told to go on, or spared the sending', async (t) => {
  const { port, delivery, subscriber } = await received(t, { maxBodyBytes: 10 })
  const head = (length: number) =>
    `POST /events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`
  const spared = rawClient(port)
  spared.send(head(11))
  await spared.closed
  assert.deepEqual(spared.statuses(), [413])
  const told = rawClient(port)
  told.send(head(4))
  await eventually(() => assert.deepEqual(told.statuses(), [100]))
  told.send('body')
  await subscriber.settle([await delivery(0)], ACCEPT)
  await eventually(() => assert.deepEqual(told.statuses(), [100, 204]))
  told.socket.destroy()
})

test('a compressed body is refused by name', async (t) => {
  const { url } = await received(t)
  const response = await post(url, 'x', { headers: { 'content-encoding': 'gzip' } })
  assert.deepEqual([response.status, response.headers.get('accept-encoding')], [415, 'identity'])
})

test('a connection is kept over many requests, refused ones too', async (t) => {
  const { port, delivery, subscriber } = await received(t)
  const client = rawClient(port)
  for (let i = 0; i < 3; i++) {
    client.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx')
    await subscriber.settle([await delivery(i)], ACCEPT)
    await eventually(() => assert.equal(client.statuses().length, 2 * i + 1))
    client.send('POST /unknown HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello')
    await eventually(() => assert.equal(client.statuses().length, 2 * i + 2))
  }
  assert.deepEqual(client.statuses(), [204, 404, 204, 404, 204, 404])
  client.socket.destroy()
})

test('garbage of every kind is answered 400 and reaches nobody', async (t) => {
  const { port, url, arrived, delivery, subscriber } = await received(t)
  for (const garbage of [
    'hello\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'POST /events HTTP/1.1\r\n\r\n',
    'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1x\r\n\r\n',
    'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
    'POST /events HTTP/1.1\r\nhost: x\r\nce-id : 1\r\n\r\n',
    'POST /events HTTP/1.1\r\nhost: x\r\nce id: 1\r\n\r\n',
    'POST /events HTTP/9.9\r\nhost: x\r\n\r\n',
    'POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  ]) {
    const client = rawClient(port)
    client.send(Buffer.from(garbage, 'latin1'))
    await client.closed
    assert.equal(client.statuses()[0] ?? 0, 400, JSON.stringify(garbage))
  }
  const overflow = rawClient(port)
  overflow.send(`POST /events HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)
  await overflow.closed
  assert.deepEqual(overflow.statuses(), [431])
  assert.equal(arrived.length, 0)

  const answer = post(url)
  await subscriber.settle([await delivery(0)], ACCEPT)
  assert.equal((await answer).status, 204)
})

test('headers and bodies that trickle in are given up', async (t) => {
  const limits = { headersTimeoutMs: 100, requestTimeoutMs: 100 }
  const { port, arrived } = await received(t, {}, limits)
  const slowHead = rawClient(port)
  slowHead.send('POST /events HTTP/1.1\r\nhost: x\r\n')
  const slowBody = rawClient(port)
  slowBody.send('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx')
  await Promise.all([slowHead.closed, slowBody.closed])
  assert.deepEqual(slowHead.statuses(), [408])
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

test('a taken port is one clear sentence, and can be tried again', async (t) => {
  const taken = await rawServer(() => {})
  const transport = httpTransport({ listen: `127.0.0.1:${taken.port}` })
  const subscriber = transport.subscriber({ path: '/events' })
  await assert.rejects(subscriber.open(), {
    code: 'TL_PORT_TAKEN',
    message: `cannot listen on 127.0.0.1:${taken.port}: the port is taken; end the process that has it or choose another port`,
  })
  await taken[Symbol.asyncDispose]()
  await eventually(() => subscriber.open())
  assert.equal(transport.address()?.port, taken.port)
  t.after(() => subscriber.close())
})

test('an address or path that cannot be is refused in words', async () => {
  for (const listen of ['', 'x', '127.0.0.1:99999', 'http://x:1', '::1:80']) {
    assert.throws(() => httpTransport({ listen }), { code: 'TL_LISTEN_INVALID' })
  }
  await assert.rejects(httpTransport({ listen: '192.0.2.1:0' }).subscriber({ path: '/' }).open(), {
    code: 'TL_LISTEN_INVALID',
  })
  assert.throws(() => httpTransport().subscriber({ path: '/' }), { code: 'TL_LISTEN_MISSING' })
  for (const path of ['events', '', '/a?b', '/a b']) {
    assert.throws(() => httpTransport({ listen: ':0' }).subscriber({ path }), { code: 'TL_PATH_INVALID' })
  }
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
