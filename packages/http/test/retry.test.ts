import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { type HttpPublisherOptions, httpTransport } from '@throughline/http'
import { eventually } from '@throughline/testkit'
import { errorOf, httpServer, message, rawServer } from './support.ts'

const SOON = { attempts: 3, minMs: 1, maxMs: 2 }

function publisherOf(options: HttpPublisherOptions) {
  const publisher = httpTransport().publisher({ retry: SOON, ...options })
  return {
    ...publisher,
    one: async (...args: Parameters<typeof message>) => (await publisher.publish([message(...args)]))[0],
    [Symbol.asyncDispose]: () => publisher.close(),
  }
}

/** Answers with these status codes in turn, then with 204. */
async function answering(statuses: readonly number[], headers: Record<string, string> = {}) {
  const left = [...statuses]
  const at: number[] = []
  const server = await httpServer((_, response) => {
    at.push(performance.now())
    response.writeHead(left.shift() ?? 204, headers).end()
  })
  return Object.assign(server, { at })
}

test('what may be tried again is, until it is confirmed', async () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    await using server = await answering([status, status])
    await using publisher = publisherOf({ url: server.url })
    assert.deepEqual(await publisher.one('x'), { ok: true, statusCode: 204, resends: 2 })
    assert.equal(server.at.length, 3)
  }
})

test('what was refused for good is not sent again', async () => {
  for (const status of [301, 400, 401, 404, 410, 413, 422]) {
    await using server = await answering([status])
    await using publisher = publisherOf({ url: server.url })
    assert.ok(errorOf(await publisher.one('x')) instanceof PermanentError)
    assert.equal(server.at.length, 1)
  }
})

test('attempts are bounded, and the last answer counts', async () => {
  await using server = await answering([503, 429, 500, 503])
  await using publisher = publisherOf({ url: server.url })
  const result = await publisher.one('x')
  assert.match(errorOf(result).message, /answered 500/)
  assert.deepEqual([result?.resends, server.at.length], [2, 3])
})

test('retry: false sends once', async () => {
  await using server = await answering([503])
  await using publisher = publisherOf({ url: server.url, retry: false })
  const result = await publisher.one('x')
  assert.ok(errorOf(result) instanceof UnavailableError)
  assert.deepEqual([result?.resends, server.at.length], [undefined, 1])
})

test('Retry-After is waited for, in seconds or as a date', async () => {
  for (const retryAfter of ['1', () => new Date(Date.now() + 2000).toUTCString()]) {
    const value = typeof retryAfter === 'string' ? retryAfter : retryAfter()
    await using server = await answering([429], { 'retry-after': value })
    await using publisher = publisherOf({ url: server.url })
    assert.equal((await publisher.one('x'))?.ok, true)
    const [first = 0, second = 0] = server.at
    assert.ok(second - first >= 900, `waited ${second - first} ms`)
  }
})

test('a Retry-After beyond the time that is left is handed to the caller at once', async () => {
  await using server = await answering([503], { 'retry-after': '3600' })
  await using publisher = publisherOf({ url: server.url, timeoutMs: 20_000 })
  const error = errorOf(await publisher.one('x'))
  assert.ok(error instanceof UnavailableError)
  assert.deepEqual([error.retryAfterMs, server.at.length], [3_600_000, 1])
})

test('a server that is not there yet is tried again', async () => {
  const placeholder = createServer().listen(0, '127.0.0.1')
  await once(placeholder, 'listening')
  const address = placeholder.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  placeholder.close()
  await once(placeholder, 'close')
  await using publisher = publisherOf({
    url: `http://127.0.0.1:${port}/`,
    retry: { attempts: 1000, minMs: 20, maxMs: 20 },
  })
  const published = publisher.one('x')
  const late = createServer((socket) => void socket.end('HTTP/1.1 204 No Content\r\n\r\n'))
  late.listen(port, '127.0.0.1')
  assert.equal((await published)?.ok, true)
  late.close()
})

test('a connection that breaks after the request was written is not: it may have been received', async () => {
  await using server = await rawServer((socket) => socket.destroy())
  await using publisher = publisherOf({ url: server.url })
  const result = await publisher.one('x')
  assert.ok(errorOf(result) instanceof UnavailableError)
  assert.deepEqual([server.connections(), result?.resends], [1, undefined])
})

test('a connection that is not made in time is given up', async () => {
  // TLS to a server that says nothing: connected, and never secure.
  await using silent = await rawServer(() => {})
  await using publisher = publisherOf({
    url: silent.url.replace('http:', 'https:'),
    connectTimeoutMs: 20,
    retry: { ...SOON, attempts: 2 },
  })
  const result = await publisher.one('x')
  assert.match(errorOf(result).message, /ETIMEDOUT$/)
  assert.deepEqual([silent.connections(), result?.resends], [2, 1])
})

test('the time is that of all requests and pauses together', async () => {
  await using server = await answering(Array(1000).fill(503))
  await using publisher = publisherOf({
    url: server.url,
    timeoutMs: 100,
    retry: { attempts: 1000, minMs: 10, maxMs: 10 },
  })
  const result = await publisher.one('x')
  assert.match(errorOf(result).message, /answered 503|no answer/)
  assert.ok(server.at.length < 50)
})

test('a pause keeps the messages of its key waiting, and no others', async () => {
  const bodies: string[] = []
  let busy = 2
  await using server = await httpServer(async (request, response) => {
    const chunks = await request.toArray()
    const text = Buffer.concat(chunks).toString()
    bodies.push(text)
    response.writeHead(text === 'a1' && busy-- > 0 ? 503 : 204).end()
  })
  await using publisher = publisherOf({ url: server.url })
  const keyed = (text: string) => message(text, { key: text.slice(0, 1) })
  const results = await publisher.publish([keyed('a1'), keyed('a2'), keyed('b1')])
  assert.ok(results.every(({ ok }) => ok))
  assert.deepEqual(
    bodies.filter((body) => body.startsWith('a')),
    ['a1', 'a1', 'a1', 'a2'],
  )
  assert.equal(bodies.filter((body) => body === 'b1').length, 1)
})

test('a server that is silent holds up a long queue of one key once, not once for each', async () => {
  await using silent = await rawServer(() => {})
  await using publisher = publisherOf({ url: silent.url, timeoutMs: 200 })
  const results = await publisher.publish(Array.from({ length: 100 }, () => message('x', { key: 'k' })))
  const texts = results.map((result) => {
    const error = errorOf(result)
    assert.ok(error instanceof UnavailableError)
    return error.message
  })
  assert.match(texts[0] ?? '', /no answer from .* within 200 ms/)
  assert.match(texts[99] ?? '', /not sent within 200 ms: the one of its key before it/)
})

test('a server that is slow but answers is given its time for each message of a key', async () => {
  await using server = await httpServer(
    (_, response) => void setTimeout(() => response.writeHead(204).end(), 100),
  )
  await using publisher = publisherOf({ url: server.url, timeoutMs: 1500 })
  const results = await publisher.publish(Array.from({ length: 5 }, () => message('x', { key: 'k' })))
  assert.ok(results.every(({ ok }) => ok))
})

test('closing, and an aborted signal, end a pause with the answer that was there', async () => {
  for (const end of ['close', 'abort'] as const) {
    const stop = new AbortController()
    await using server = await answering([503], { 'retry-after': '10' })
    await using publisher = publisherOf({ url: server.url, signal: stop.signal })
    const published = publisher.one('x')
    await eventually(() => assert.equal(server.at.length, 1))
    if (end === 'close') await publisher.close()
    else stop.abort()
    assert.match(errorOf(await published).message, /answered 503/)
    assert.equal(server.at.length, 1)
  }
})

test('an aborted signal ends a request that has no answer', async () => {
  const stop = new AbortController()
  await using silent = await rawServer(() => {})
  await using publisher = publisherOf({ url: silent.url, signal: stop.signal })
  const published = publisher.one('x')
  await eventually(() => assert.equal(silent.connections(), 1))
  stop.abort()
  assert.match(errorOf(await published).message, /the publisher was aborted$/)
  assert.ok(errorOf(await publisher.one('y')) instanceof UnavailableError)
})

test('an idle connection is given up after its time', async () => {
  await using server = await answering([])
  let open = 0
  server.server.on('connection', (socket) => {
    open++
    socket.once('close', () => open--)
  })
  await using publisher = publisherOf({ url: server.url, keepAliveTimeoutMs: 20 })
  assert.equal((await publisher.one('x'))?.ok, true)
  await eventually(() => assert.equal(open, 0))
  assert.equal((await publisher.one('x'))?.ok, true)
})

test('a server that keeps a connection for less is believed', async () => {
  await using server = await answering([], { connection: 'keep-alive', 'keep-alive': 'timeout=2' })
  let open = 0
  server.server.on('connection', (socket) => {
    open++
    socket.once('close', () => open--)
  })
  await using publisher = publisherOf({ url: server.url })
  assert.equal((await publisher.one('x'))?.ok, true)
  assert.equal(open, 1)
  await eventually(() => assert.equal(open, 0))
})

test('a kept connection is not idle while its request waits for the answer', async () => {
  let connections = 0
  await using server = await httpServer(
    (_, response) => void setTimeout(() => response.writeHead(204).end(), 100),
  )
  server.server.on('connection', () => connections++)
  await using publisher = publisherOf({ url: server.url, keepAliveTimeoutMs: 50 })
  for (const body of ['1', '2', '3']) assert.equal((await publisher.one(body))?.ok, true)
  assert.equal(connections, 1)
})
