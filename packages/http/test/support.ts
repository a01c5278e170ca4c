import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Delivery, Message, PublishResult, Subscriber } from '@throughline/core'

/** A server of the test's own, closed with everything that hangs on it when the scope ends. */
export async function httpServer(listener: RequestListener) {
  const server = createHttpServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** A server that speaks no HTTP of its own: `onData` is called with what arrives on a connection. */
export async function rawServer(onData: (socket: Socket, received: string, connection: number) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const connection = sockets.size
    socket.on('error', () => {})
    socket.on('data', (chunk) => onData(socket, chunk.toString('latin1'), connection))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A client that sends bytes as they are and collects what comes back. */
export function rawClient(port: number) {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  return {
    socket,
    send: (text: string | Uint8Array) => void socket.write(text),
    received: () => received,
    /** Status codes of all answers so far. */
    statuses: () => [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)),
    closed: once(socket, 'close'),
  }
}

export type RawClient = ReturnType<typeof rawClient>

export function message(body: string | Uint8Array, more: Partial<Message> = {}): Message {
  return { body: typeof body === 'string' ? new TextEncoder().encode(body) : body, headers: [], ...more }
}

/** The `code` of a problem. */
export async function problemCode(response: Response): Promise<unknown> {
  const problem: unknown = await response.json()
  return typeof problem === 'object' && problem !== null && 'code' in problem ? problem.code : undefined
}

export function errorOf(result: PublishResult | undefined): Error {
  if (result === undefined || result.ok) throw new Error('expected the publishing to fail')
  return result.error
}

/** Reads in the background, and settles nothing. */
export function collect(subscriber: Subscriber, signal?: AbortSignal) {
  const arrived: Delivery[] = []
  const ended = (async () => {
    for await (const batch of subscriber.deliveries(signal)) arrived.push(...batch)
  })()
  ended.catch(() => {})
  return { arrived, ended }
}
