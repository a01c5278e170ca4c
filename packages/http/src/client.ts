import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { errorMessage } from '@throughline/core'
import type { RequestHeaders } from './headers.ts'

/** A publisher's connections. */
export interface ClientOptions {
  /** Default `POST`. */
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  /** Connections, and so requests at one time; default 64. Requests beyond wait for a free one. */
  readonly maxConnections?: number
  /** Until a connection is made, TLS included, milliseconds; default 5000. */
  readonly connectTimeoutMs?: number
  /** How long an idle connection is kept, milliseconds; default 15 000, or less where the server says so. */
  readonly keepAliveTimeoutMs?: number
}

/** How far a request had come when it failed. */
export class RequestFailedError extends Error {
  /**
   * `unsent`: no connection was made. `stale`: the server had closed the kept connection that it was written to.
   * `unknown`: it may have been received.
   */
  readonly progress: 'unsent' | 'stale' | 'unknown'
  constructor(cause: unknown, progress: RequestFailedError['progress']) {
    super(networkReason(cause), { cause })
    this.progress = progress
  }
}

export interface Client {
  /** Resolves with the answer's head. Rejects with RequestFailedError. */
  request(url: URL, headers: RequestHeaders, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage>
  close(): void
}

/** What a connection that could not be made is told by. Others (a wrong certificate) will be the same in a second. */
const PASSING = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** One server's kept-alive connections. */
export function createClient(secure: boolean, options: ClientOptions): Client {
  const {
    method = 'POST',
    maxConnections = 64,
    connectTimeoutMs = 5000,
    keepAliveTimeoutMs = 15_000,
  } = options
  const agent = new (secure ? HttpsAgent : HttpAgent)({
    keepAlive: true,
    maxSockets: maxConnections,
    // Of sockets without a request alone: those with one only hear of it.
    timeout: keepAliveTimeoutMs,
  })

  function request(url: URL, headers: RequestHeaders, body: Uint8Array, signal: AbortSignal) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      let connected = false
      const sent = (secure ? httpsRequest : httpRequest)(url, {
        agent,
        method,
        signal,
        headers: { ...headers, 'content-length': body.byteLength },
      })
      sent.on('socket', (socket) => {
        if (!socket.connecting) connected = true
        else
          whenConnected(socket, () => {
            connected = true
          })
      })
      sent.on('response', resolve)
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const code = codeOf(error)
        const isStale = sent.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')
        const unsent = !connected && PASSING.has(code)
        reject(new RequestFailedError(error, isStale ? 'stale' : unsent ? 'unsent' : 'unknown'))
      })
      sent.end(body)
    })
  }

  function whenConnected(socket: Socket, done: () => void): void {
    const late = Object.assign(new Error('the connection was not made in time'), { code: 'ETIMEDOUT' })
    const timer = setTimeout(() => socket.destroy(late), connectTimeoutMs)
    socket.once('close', () => clearTimeout(timer))
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      done()
    })
  }

  return { request, close: () => agent.destroy() }
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A socket error's code says it all; its text repeats the address. */
function networkReason(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ECONNRESET') return 'ECONNRESET, the connection was closed before an answer'
  return code === '' ? errorMessage(error) : code
}
