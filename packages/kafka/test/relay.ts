import { once } from 'node:events'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import { Admin } from '@platformatic/kafka'
import { type TcpProxy, tcpProxy } from '@throughline/testkit'

/**
 * A proxy before a Kafka broker through which every connection goes. A broker tells its clients its own address; this
 * rewrites it to the proxy's in all answers, or only the first connection could be broken.
 */
export async function kafkaProxy(broker: string): Promise<TcpProxy> {
  const { host, port } = await advertised(broker)
  const places: Places = { from: address(host, port), to: Buffer.alloc(0) }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const target = openSocket({ host, port, noDelay: true })
    const answers = rewriter(places, (frame) => client.write(frame))
    client.on('data', (chunk) => target.write(chunk))
    target.on('data', answers)
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the relay has no TCP address')
  const proxy = await tcpProxy({ target: `127.0.0.1:${bound.port}` })
  places.to = address(host, proxy.port)
  return {
    ...proxy,
    get connections() {
      return proxy.connections
    },
    get accepted() {
      return proxy.accepted
    },
    async close() {
      await proxy.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

async function advertised(broker: string): Promise<{ host: string; port: number }> {
  const admin = new Admin({ clientId: 'relay', bootstrapBrokers: [broker] })
  const { brokers } = await admin.metadata({ topics: [] })
  await admin.close()
  const [first] = brokers.values()
  if (first === undefined || brokers.size > 1) throw new Error('the relay is for one broker')
  return first
}

interface Places {
  readonly from: Buffer
  to: Buffer
}

/** A host and port as they stand in Kafka's answers: the text, then four bytes. */
function address(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(port)
  return Buffer.concat([Buffer.from(host), bytes])
}

/** Gathers whole answers (four bytes of length in front), so that no address is cut in two. */
function rewriter(places: Places, write: (frame: Buffer) => void) {
  let held: Buffer = Buffer.alloc(0)
  return (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const frame = held.subarray(0, 4 + held.readInt32BE(0))
      held = held.subarray(frame.length)
      for (let at = frame.indexOf(places.from); at >= 0; at = frame.indexOf(places.from, at)) {
        places.to.copy(frame, at)
      }
      write(frame)
    }
  }
}
