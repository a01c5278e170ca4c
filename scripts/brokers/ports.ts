import { randomInt } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'

const host = '127.0.0.1'

/**
 * Free ports of the loopback interface, all different. From below the range that systems take outgoing connections'
 * ports from: while a broker restarts, a client that tries to reconnect could otherwise be given the broker's own port
 * and occupy it (a TCP connection to itself).
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = Array.from({ length: count }, () => randomInt(20_000, 32_000))
  const usable = new Set(ports).size === count && (await areFree(ports))
  return usable ? ports : freePorts(count)
}

/** Whether all of the ports could be listened on now. */
export async function areFree(ports: readonly number[]): Promise<boolean> {
  const tries = await Promise.allSettled(ports.map(listen))
  const servers = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  await Promise.all(servers.map(closed))
  return servers.length === ports.length
}

/**
 * Sends `request` to a port and says whether the answer is accepted by `isAnswer`. A port that refuses, closes or is
 * silent for a second does not answer.
 */
export function answers(
  port: number,
  request: Uint8Array,
  isAnswer: (bytes: Uint8Array) => boolean,
): Promise<boolean> {
  return new Promise((done) => {
    const chunks: Uint8Array[] = []
    const socket = connect({ host, port }, () => socket.write(request))
    const finish = (result: boolean) => {
      socket.destroy()
      done(result)
    }
    socket.setTimeout(1000, () => finish(false))
    socket.on('error', () => finish(false))
    socket.on('close', () => finish(false))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (isAnswer(Buffer.concat(chunks))) finish(true)
    })
  })
}

function listen(port: number): Promise<Server> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen({ host, port }, () => done(server))
  })
}

const closed = (server: Server): Promise<void> => new Promise((done) => server.close(() => done()))
