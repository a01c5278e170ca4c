import { once } from 'node:events'
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net'

/** Which bytes a stalled proxy holds back. `toClient` alone loses confirmations: the target gets all, the client hears nothing. */
export type StallDirection = 'both' | 'toTarget' | 'toClient'

/** A TCP proxy between a client and a real broker or server, to break the connection on purpose. */
export interface TcpProxy extends AsyncDisposable {
  readonly host: string
  /** The same before `refuse()` and after `restore()`. */
  readonly port: number
  /** `host:port`. */
  readonly address: string
  /** Connections that are open now. */
  readonly connections: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /** Resets every open connection on both sides (RST, not FIN). New ones are accepted. */
  cut(): void
  /** Cuts, and answers new connections with ECONNREFUSED until `restore()`. */
  refuse(): Promise<void>
  /** Keeps connections, old and new, open and holds their bytes back until `restore()`: a network that hangs. */
  stall(direction?: StallDirection): void
  /** Ends `refuse()` and `stall()`. Held bytes are passed on. Rejects when the port has been taken meanwhile. */
  restore(): Promise<void>
  /** Cuts everything and gives the port back. Idempotent. */
  close(): Promise<void>
}

/** What a proxy stands before. */
export interface TcpProxyOptions {
  /** Where connections go: `host:port`. */
  readonly target: string
  /** Port to listen on, on 127.0.0.1; 0 (the default) takes a free one. */
  readonly port?: number
}

interface Link {
  readonly client: Socket
  readonly target: Socket
}

const HOST = '127.0.0.1'

/** Starts a proxy. Rejects when the port is taken or `target` is not `host:port`. */
export async function tcpProxy({ target, port = 0 }: TcpProxyOptions): Promise<TcpProxy> {
  const destination = parseAddress(target)
  const links = new Set<Link>()
  let stalled: StallDirection | null = null
  let accepted = 0

  // Half-open, so that one side's FIN reaches the other and not more than that.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    accepted++
    const link = { client, target: openSocket({ ...destination, allowHalfOpen: true, noDelay: true }) }
    links.add(link)
    pass(link.client, link.target, link)
    pass(link.target, link.client, link)
    applyStall(link)
  })

  function pass(from: Socket, to: Socket, link: Link): void {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => applyStall(link))
    from.on('end', () => to.end())
    from.on('error', () => reset(to))
    from.on('close', () => {
      if (link.client.destroyed && link.target.destroyed) links.delete(link)
    })
  }

  function applyStall({ client, target }: Link): void {
    flow(client, target, stalled === 'both' || stalled === 'toTarget')
    flow(target, client, stalled === 'both' || stalled === 'toClient')
  }

  function cut(): void {
    for (const { client, target } of links) {
      reset(client)
      reset(target)
    }
    links.clear()
  }

  async function stopListening(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }

  await listen(server, port)
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no TCP address')

  return {
    host: HOST,
    port: bound.port,
    address: `${HOST}:${bound.port}`,
    get connections() {
      return links.size
    },
    get accepted() {
      return accepted
    },
    cut,
    refuse: stopListening,
    stall(direction = 'both') {
      stalled = direction
      for (const link of links) applyStall(link)
    },
    async restore() {
      stalled = null
      for (const link of links) applyStall(link)
      if (!server.listening) await listen(server, bound.port)
    },
    close: stopListening,
    [Symbol.asyncDispose]: stopListening,
  }
}

/**
 * RST, or FIN where one is just on its way: libuv refuses to reset such a socket, and Node 24 then waits for its handle
 * for ever when the process exits.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

/** Reads on unless this direction is held or its reader is behind. */
function flow(from: Socket, to: Socket, held: boolean): void {
  if (held || to.writableNeedDrain) from.pause()
  else from.resume()
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen({ host: HOST, port })
  await once(server, 'listening')
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address)
  const [, host, port] = match ?? []
  if (host === undefined || port === undefined) {
    throw new TypeError(`target must be host:port, is ${JSON.stringify(address)}`)
  }
  return { host, port: Number(port) }
}
