import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { type HttpPublisherOptions, httpTransport } from '@throughline/http'
import { eventually, tcpProxy } from '@throughline/testkit'
import { errorOf, httpServer, message, rawServer } from './support.ts'

function publisherOf(options: HttpPublisherOptions) {
  const publisher = httpTransport().publisher({ retry: false, ...options })
  return {
    ...publisher,
    one: async (...args: Parameters<typeof message>) => (await publisher.publish([message(...args)]))[0],
    [Symbol.asyncDispose]: () => publisher.close(),
  }
}

const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n'

test('a request is on the wire as it was given, with an exact length', async () => {
  let wire = ''
  await using server = await rawServer((socket, received) => {
    wire += received
    if (wire.endsWith('body')) socket.write(NO_CONTENT)
  })
  await using publisher = publisherOf({ url: `${server.url}/a/b?q=1#f`, headers: { 'X-Own': 'yes' } })
  const result = await publisher.one('body', { headers: [['Ce-Id', '1']], contentType: 'text/plain' })
  assert.deepEqual(result, { ok: true, statusCode: 204 })
  const [head = '', body] = wire.split('\r\n\r\n')
  assert.equal(body, 'body')
  assert.deepEqual(head.split('\r\n'), [
    'POST /a/b?q=1 HTTP/1.1',
    'Ce-Id: 1',
    'content-type: text/plain',
    'user-agent: throughline',
    'x-own: yes',
    'content-length: 4',
    `Host: 127.0.0.1:${server.port}`,
    'Connection: keep-alive',
  ])
  assert.equal(publisher.destination, '/a/b')
})

test('bodies of all sizes and bytes arrive whole, and one connection is enough', async () => {
  const bodies: Buffer[] = []
  let connections = 0
  await using server = await httpServer(async (request, response) => {
    bodies.push(await buffer(request))
    response.writeHead(202).end('thanks')
  })
  server.server.on('connection', () => connections++)
  await using publisher = publisherOf({ url: server.url })
  const sent = [0, 1, 256, 1024 * 1024].map((size) => Uint8Array.from({ length: size }, (_, i) => i % 256))
  for (const body of sent) assert.deepEqual(await publisher.one(body), { ok: true, statusCode: 202 })
  assert.equal((await publisher.publish([{ body: null, headers: [] }]))[0]?.ok, true)
  sent.push(new Uint8Array())
  assert.deepEqual(
    bodies.map((body) => new Uint8Array(body)),
    sent,
  )
  assert.equal(connections, 1)
})

test('every message has its own answer, in the order given', async () => {
  await using server = await httpServer((request, response) => {
    const status = Number(request.headers['x-status'])
    response.writeHead(status, { 'retry-after': '3', 'content-type': 'application/problem+json' })
    response.end(status === 204 ? undefined : JSON.stringify({ detail: `no ${status}` }))
  })
  await using publisher = publisherOf({ url: `${server.url}/events` })
  const statuses = [204, 400, 503, 301]
  const results = await publisher.publish(
    statuses.map((status) => message('x', { headers: [['x-status', String(status)]] })),
  )
  assert.deepEqual(
    results.map((result) => result.ok),
    [true, false, false, false],
  )
  const [, refused, busy, moved] = results
  assert.ok(errorOf(refused) instanceof PermanentError)
  assert.equal(errorOf(refused).message, `${server.url}/events answered 400: no 400`)
  const unavailable = errorOf(busy)
  assert.ok(unavailable instanceof UnavailableError)
  assert.equal(unavailable.retryAfterMs, 3000)
  assert.match(errorOf(moved).message, /redirects are not followed/)
  const { confirmed } = httpTransport().attributes
  assert.deepEqual(
    results.map((result) => confirmed(result)['http.response.status_code']),
    statuses,
  )
})

test('user info of the URL becomes authorization and is in no error and no attribute', async () => {
  let authorization: string | undefined
  await using server = await httpServer((request, response) => {
    authorization = request.headers.authorization
    response.writeHead(403).end()
  })
  const url = `http://us%40er:s3cret@127.0.0.1:${server.port}/events?token=s3cret`
  await using publisher = publisherOf({ url })
  const error = errorOf(await publisher.one('x'))
  assert.equal(authorization, `Basic ${Buffer.from('us@er:s3cret').toString('base64')}`)
  assert.deepEqual(publisher.attributes, {
    'http.request.method': 'POST',
    'url.full': `${server.url}/events?token=REDACTED`,
    'server.address': '127.0.0.1',
    'server.port': server.port,
  })
  const seen = JSON.stringify([error.message, String(error.stack), publisher.destination])
  assert.doesNotMatch(seen, /s3cret/)
})

test('a server that is not there, or goes away without an answer, is unavailable', async () => {
  await using proxy = { ...(await tcpProxy({ target: '127.0.0.1:1' })), async [Symbol.asyncDispose]() {} }
  await using gone = publisherOf({ url: `http://user:s3cret@${proxy.address}/x` })
  const reset = errorOf(await gone.one('x'))
  assert.ok(reset instanceof UnavailableError)
  await proxy.close()
  const refused = errorOf(await gone.one('x'))
  assert.ok(refused instanceof UnavailableError)
  assert.equal(refused.message, `cannot reach http://${proxy.address}/x: ECONNREFUSED`)

  await using closing = await rawServer((socket) => socket.destroy())
  await using publisher = publisherOf({ url: closing.url })
  assert.ok(errorOf(await publisher.one('x')) instanceof UnavailableError)
  assert.equal(closing.connections(), 1)
})

test('a kept connection that the server has closed meanwhile costs no error', async () => {
  const answered: string[] = []
  await using server = await rawServer((socket, received, connection) => {
    if (connection === 1 && answered.length > 0) {
      socket.destroy()
      return
    }
    answered.push(received.slice(-1))
    socket.write(NO_CONTENT)
  })
  await using publisher = publisherOf({ url: server.url })
  assert.equal((await publisher.one('1'))?.ok, true)
  assert.equal((await publisher.one('2'))?.ok, true)
  assert.deepEqual(answered, ['1', '2'])
})

test('what is not HTTP, or never comes, is unavailable within the time limit', async () => {
  await using garbage = await rawServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
  await using first = publisherOf({ url: garbage.url })
  assert.ok(errorOf(await first.one('x')) instanceof UnavailableError)

  await using silent = await rawServer(() => {})
  await using second = publisherOf({ url: silent.url, timeoutMs: 50 })
  const error = errorOf(await second.one('x'))
  assert.ok(error instanceof UnavailableError)
  assert.equal(error.message, `no answer from ${silent.url}/ within 50 ms`)
})

test('an answer that never ends is an answer all the same', async () => {
  await using server = await httpServer((request, response) => {
    response.writeHead(request.url === '/ok' ? 200 : 500)
    const talk = () => {
      if (!response.destroyed && response.write('x'.repeat(1000))) setImmediate(talk)
    }
    response.on('drain', talk)
    talk()
  })
  await using publisher = publisherOf({ url: server.url })
  const results = await publisher.publish([
    message('1', { destination: '/ok' }),
    message('2', { destination: '/no' }),
  ])
  assert.deepEqual(results[0], { ok: true, statusCode: 200 })
  assert.match(errorOf(results[1]).message, /answered 500: x+$/)
})

test('an answer that stops in its middle counts by its status, once the time is up', async () => {
  await using server = await httpServer((request, response) => {
    response.writeHead(request.url === '/ok' ? 200 : 500)
    response.write('half')
  })
  await using publisher = publisherOf({ url: server.url, timeoutMs: 100 })
  const results = await publisher.publish([
    message('1', { destination: '/ok' }),
    message('2', { destination: '/no' }),
  ])
  assert.deepEqual(results[0], { ok: true, statusCode: 200 })
  assert.match(errorOf(results[1]).message, /answered 500: half$/)
})

test('a message may choose another path, and no other server', async () => {
  const paths: (string | undefined)[] = []
  await using server = await httpServer((request, response) => {
    paths.push(request.url)
    response.writeHead(204).end()
  })
  await using publisher = publisherOf({ url: `${server.url}/events/a` })
  for (const destination of [
    '/other?x=1',
    'b',
    `${server.url}/full`,
    `//user:pw@127.0.0.1:${server.port}/same`,
  ]) {
    assert.equal((await publisher.one('x', { destination }))?.ok, true)
  }
  assert.deepEqual(paths, ['/other?x=1', '/events/b', '/full', '/same'])
  for (const destination of [
    '//evil.example/x',
    'https://127.0.0.1/x',
    'http://u:s3cret@evil.example',
    'http://[',
  ]) {
    const error = errorOf(await publisher.one('x', { destination }))
    assert.ok(error instanceof PermanentError)
    assert.doesNotMatch(error.message, /s3cret/)
  }
  assert.equal(paths.length, 4)
})

test('messages of one key are sent one after the other, others at the same time', async () => {
  const open: (() => void)[] = []
  const seen: string[] = []
  await using server = await httpServer(async (request, response) => {
    seen.push((await buffer(request)).toString())
    open.push(() => void response.writeHead(204).end())
  })
  await using publisher = publisherOf({ url: server.url })
  const done = publisher.publish([
    message('a1', { key: 'a' }),
    message('a2', { key: new Uint8Array([0x61]) }),
    message('b1', { key: 'b' }),
    message('free'),
  ])
  const later = publisher.publish([message('a3', { key: 'a' })])
  await eventually(() => assert.deepEqual(seen.toSorted(), ['a1', 'b1', 'free']))
  open.shift()?.()
  open.shift()?.()
  open.shift()?.()
  await eventually(() => assert.equal(open.length, 1))
  assert.equal(seen.at(-1), 'a2')
  open.shift()?.()
  await done
  await eventually(() => assert.equal(open.length, 1))
  open.shift()?.()
  await later
  assert.equal(seen.at(-1), 'a3')
})

test('no more connections are opened than allowed, and the rest waits', async () => {
  let connections = 0
  await using server = await httpServer(
    (_, response) => void setImmediate(() => response.writeHead(204).end()),
  )
  server.server.on('connection', () => connections++)
  await using publisher = publisherOf({ url: server.url, maxConnections: 2 })
  const results = await publisher.publish(Array.from({ length: 50 }, (_, i) => message(String(i))))
  assert.equal(results.filter((result) => result.ok).length, 50)
  assert.equal(connections, 2)
})

test('closing waits for what is in flight, and what comes later is refused', async () => {
  const asked = Promise.withResolvers<() => void>()
  await using server = await httpServer((_, response) => asked.resolve(() => response.writeHead(204).end()))
  const publisher = publisherOf({ url: server.url })
  const published = publisher.one('x')
  const answer = await asked.promise
  const closed = publisher.close()
  answer()
  assert.equal((await published)?.ok, true)
  await closed
  assert.ok(errorOf(await publisher.one('y')) instanceof UnavailableError)
  await publisher.close()
})

test('two thousand messages over a connection that is cut again and again: none is lost', async () => {
  const arrived = new Set<string>()
  await using server = await httpServer(async (request, response) => {
    const body = await buffer(request).catch(() => null)
    if (body === null) return
    arrived.add(body.toString())
    response.writeHead(204).end()
  })
  const proxy = await tcpProxy({ target: `127.0.0.1:${server.port}` })
  await using publisher = publisherOf({ url: `http://${proxy.address}` })
  const ids = Array.from({ length: 2000 }, (_, i) => String(i))
  let confirmed = 0
  const send = async (id: string): Promise<void> => {
    for (;;) {
      const result = await publisher.one(id)
      if (result?.ok) break
      assert.ok(errorOf(result) instanceof UnavailableError)
    }
    if (++confirmed % 300 === 0) proxy.cut()
  }
  await Promise.all(ids.map(send))
  assert.deepEqual([...arrived].toSorted(), ids.toSorted())
  assert.ok(proxy.accepted > 64, 'connections were cut and made again')
  await proxy.close()
})

test('an option that cannot work is refused at once, without showing secrets', () => {
  for (const options of [
    { url: 'localhost:80/x' },
    { url: 'ftp://u:s3cret@h/' },
    { url: '/events' },
    { url: 'http://h/', headers: { 'content-length': '1' } },
    { url: 'http://h/', headers: { 'bad name': '1' } },
  ]) {
    assert.throws(
      () => httpTransport().publisher(options),
      (error) => error instanceof PermanentError && !error.message.includes('s3cret'),
    )
  }
})
