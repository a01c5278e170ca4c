import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { eventually, type TcpProxy, tcpProxy } from '@throughline/testkit'

/** An echo server behind a proxy; everything is closed when the scope ends. */
async function echoBehindProxy() {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await tcpProxy({ target: `127.0.0.1:${port}` })
  return {
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy.close()
      server.close()
    },
  }
}

function client(proxy: TcpProxy): { socket: Socket; received: () => string } {
  const socket = connect(proxy.port, proxy.host)
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    text += chunk
  })
  return { socket, received: () => text }
}

test('bytes pass in both directions, and the end of one side reaches the other', async () => {
  await using setup = await echoBehindProxy()
  const { socket, received } = client(setup.proxy)
  const big = 'x'.repeat(5_000_000)
  socket.end(big)
  await once(socket, 'close')
  assert.equal(received().length, big.length)
  await eventually(() => assert.equal(setup.proxy.connections, 0))
  assert.equal(setup.proxy.accepted, 1)
})

test('cut resets open connections and accepts new ones', async () => {
  await using setup = await echoBehindProxy()
  const first = client(setup.proxy)
  first.socket.write('a')
  await eventually(() => assert.equal(first.received(), 'a'))
  const failed = once(first.socket, 'error')
  setup.proxy.cut()
  assert.equal((await failed)[0].code, 'ECONNRESET')
  const second = client(setup.proxy)
  second.socket.write('b')
  await eventually(() => assert.equal(second.received(), 'b'))
})

test('refuse answers ECONNREFUSED until restore, on the same port', async () => {
  await using setup = await echoBehindProxy()
  await setup.proxy.refuse()
  const refused = connect(setup.proxy.port, setup.proxy.host)
  assert.equal((await once(refused, 'error'))[0].code, 'ECONNREFUSED')
  await setup.proxy.restore()
  const { socket, received } = client(setup.proxy)
  socket.write('back')
  await eventually(() => assert.equal(received(), 'back'))
})

test('stall holds bytes back and restore passes them on', async () => {
  await using setup = await echoBehindProxy()
  const { socket, received } = client(setup.proxy)
  socket.write('1')
  await eventually(() => assert.equal(received(), '1'))
  setup.proxy.stall()
  socket.write('2')
  const later = client(setup.proxy)
  later.socket.write('3')
  await eventually(() => assert.equal(setup.proxy.accepted, 2))
  assert.equal(received() + later.received(), '1')
  await setup.proxy.restore()
  await eventually(() => assert.equal(received() + later.received(), '123'))
})

test('a stall of the answers alone still delivers the requests', async () => {
  const heard: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard.push(String(chunk))
      socket.write('confirmed')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await tcpProxy({ target: `127.0.0.1:${(server.address() as AddressInfo).port}` })
  const { socket, received } = client(proxy)
  proxy.stall('toClient')
  socket.write('publish')
  await eventually(() => assert.deepEqual(heard, ['publish']))
  assert.equal(received(), '')
  await proxy.restore()
  await eventually(() => assert.equal(received(), 'confirmed'))
  await proxy.close()
  server.close()
})

test('an address that is none is refused by name', async () => {
  await assert.rejects(tcpProxy({ target: 'localhost' }), /target must be host:port, is "localhost"/)
})
