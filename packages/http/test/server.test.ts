import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpTransport } from '@throughline/http'
import { eventually } from '@throughline/testkit'
import { ACCEPT, post, received } from './received.ts'
import { collect, problemCode, rawClient, rawServer } from './support.ts'

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
