import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { ThroughlineError } from '@throughline/core'
import { problem } from './answer.ts'
import type { Endpoint, Mount } from './incoming.ts'
import { addressText, type ListenAddress, listenError } from './listen.ts'
import { nodeIncoming } from './node.ts'

/** Bounds of the server that a broker's subscribers share. */
export interface ServerOptions {
  /** Until a request's headers have arrived, milliseconds; default 10 000. */
  readonly headersTimeoutMs?: number
  /** Until a whole request has arrived, milliseconds; default 30 000. */
  readonly requestTimeoutMs?: number
  /** How long an idle connection is kept, milliseconds; default 15 000. */
  readonly keepAliveTimeoutMs?: number
  /** Connections at one time; more are closed as they come. Default 1000. */
  readonly maxConnections?: number
}

/** One listening server for all subscribers of a transport: starts with the first, stops with the last. */
export interface SharedServer extends Mount {
  /** Where it listens; null while it does not. */
  address(): ListenAddress | null
}

interface Running {
  readonly server: Server
  readonly listening: Promise<void>
  /** Answers that are not yet handed to the network. */
  readonly answering: Set<ServerResponse>
}

export function sharedServer(listen: ListenAddress, options: ServerOptions = {}): SharedServer {
  const endpoints = new Map<string, Endpoint>()
  let running: Running | null = null
  let stopping: Promise<void> | null = null

  function start(): Running {
    const { headersTimeoutMs = 10_000, requestTimeoutMs = 30_000, keepAliveTimeoutMs = 15_000 } = options
    const answering = new Set<ServerResponse>()
    const dispatch = (request: IncomingMessage, response: ServerResponse) => {
      answering.add(response)
      response.on('close', () => answering.delete(response))
      route(request, response)
    }
    const server = createServer(
      {
        headersTimeout: headersTimeoutMs,
        requestTimeout: Math.max(requestTimeoutMs, headersTimeoutMs),
        keepAliveTimeout: keepAliveTimeoutMs,
        // Node looks at slow connections only this often, by default every 30 s.
        connectionsCheckingInterval: Math.min(headersTimeoutMs, 5000),
      },
      dispatch,
    )
    server.maxConnections = options.maxConnections ?? 1000
    // A body that is refused by its announced length need not be sent at all.
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      dispatch(request, response)
      if (!response.headersSent) response.writeContinue()
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const begun = [...answering].filter((response) => response.req.socket === socket)
      answerGarbage(error, socket, begun)
    })
    server.listen({ host: listen.host, port: listen.port })
    const listening = once(server, 'listening').then(
      // A connection that could not be accepted (no file descriptors left) is no reason to end the process.
      () => void server.on('error', () => {}),
      (error: NodeJS.ErrnoException) => Promise.reject(listenError(error, listen)),
    )
    return { server, listening, answering }
  }

  function route(request: IncomingMessage, response: ServerResponse): void {
    const { url = '' } = request
    const incoming = nodeIncoming(request, response)
    const endpoint = endpoints.get(url) ?? endpoints.get(pathOf(url))
    if (endpoint !== undefined) endpoint.handle(incoming)
    else
      incoming.refuse(problem(404, 'TL_PATH_UNKNOWN', `nothing is received at ${pathOf(url).slice(0, 128)}`))
  }

  async function attach(endpoint: Endpoint): Promise<void> {
    if (endpoints.has(endpoint.path)) {
      throw new ThroughlineError(
        'TL_PATH_TAKEN',
        `${endpoint.path} on ${addressText(listen)} already has a subscriber`,
      )
    }
    endpoints.set(endpoint.path, endpoint)
    try {
      await stopping
      // In no caller's context, or every request would seem to belong to the span that was active at the start.
      running ??= context.with(ROOT_CONTEXT, start)
      await running.listening
    } catch (error) {
      endpoints.delete(endpoint.path)
      running = null
      throw error
    }
  }

  async function detach(endpoint: Endpoint): Promise<void> {
    if (endpoints.get(endpoint.path) !== endpoint) return
    endpoints.delete(endpoint.path)
    if (endpoints.size > 0 || running === null) return
    stopping = stop(running).finally(() => {
      stopping = null
    })
    running = null
    await stopping
  }

  function address(): ListenAddress | null {
    const bound = running?.server.address()
    return bound === null || bound === undefined || typeof bound === 'string'
      ? null
      : { host: bound.address, port: bound.port }
  }

  return {
    attach,
    detach,
    address,
    attributes() {
      const port = address()?.port ?? listen.port
      return { 'server.address': listen.host, ...(port === 0 ? {} : { 'server.port': port }) }
    },
  }
}

/** Stops listening, lets the answers out that are on their way, then ends what is left. */
async function stop({ server, answering }: Running): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  await Promise.all([...answering].map((response) => once(response, 'close')))
  server.closeAllConnections()
  await closed
}

/** Origin form without its query, or the path of the absolute form that proxies send (RFC 9112 §3.2). */
function pathOf(target: string): string {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? ''
  const path = target.slice(origin.length).replace(/[?#].*$/s, '')
  return path === '' && origin !== '' ? '/' : path
}

const GARBAGE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/**
 * What could not be read as HTTP, or came too slowly, is answered if it still can be, and its connection ended.
 * `begun` are the requests of this connection that have no whole answer yet: another's answer must not be broken into.
 */
function answerGarbage(error: NodeJS.ErrnoException, socket: Duplex, begun: readonly ServerResponse[]): void {
  const free = begun.length === 0 || (begun.length === 1 && begun[0]?.headersSent === false)
  if (!socket.writable || error.code === 'ECONNRESET' || !free) {
    socket.destroy()
    return
  }
  const status = GARBAGE[error.code ?? ''] ?? 400
  const detail = status === 408 ? 'the request did not arrive in time' : 'the request is not valid HTTP/1.1'
  const answer = problem(status, 'TL_HTTP_INVALID', detail)
  const body = JSON.stringify(answer.problem)
  socket.end(
    `HTTP/1.1 ${status} ${answer.problem?.title}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
