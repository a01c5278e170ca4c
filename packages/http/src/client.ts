import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { errorMessage } from '@throughline/core'
import type { RequestHeaders } from './headers.ts'
import type { Target } from './target.ts'

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
   * `late`, `aborted`: we ended it. `unknown`: it may have been received.
   */
  readonly progress: 'unsent' | 'stale' | 'late' | 'aborted' | 'unknown'
  constructor(cause: unknown, progress: RequestFailedError['progress']) {
    super(networkReason(cause), { cause })
    this.progress = progress
  }
}

export interface Client {
  /** Resolves with the answer's head; ends the request after `limitMs`, its answer included. Rejects with RequestFailedError. */
  request(to: Target, headers: RequestHeaders, body: Uint8Array, limitMs: number): Promise<IncomingMessage>
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

/** One server's kept-alive connections. Aborted, `signal` ends all requests. */
export function createClient(
  secure: boolean,
  options: ClientOptions & { readonly signal?: AbortSignal },
): Client {
  const {
    method = 'POST',
    maxConnections = 64,
    connectTimeoutMs = 5000,
    keepAliveTimeoutMs = 15_000,
    signal,
  } = options
  const agent = new (secure ? HttpsAgent : HttpAgent)({
    keepAlive: true,
    maxSockets: maxConnections,
    // Of sockets without a request alone: those with one only hear of it.
    timeout: keepAliveTimeoutMs,
  })
  const send = secure ? httpsRequest : httpRequest
  const running = new Set<ClientRequest>()
  const abort = () => {
    for (const request of running) request.destroy(new Error('the publisher was aborted'))
  }
  signal?.addEventListener('abort', abort)

  function request(to: Target, headers: RequestHeaders, body: Uint8Array, limitMs: number) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      let connected = false
      let isLate = false
      headers['content-length'] = String(body.byteLength)
      const sent = send({ ...to.address, agent, method, headers })
      const timer = setTimeout(() => {
        isLate = true
        sent.destroy(new Error('the time was up'))
      }, limitMs)
      running.add(sent)
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
        const ended = isLate ? 'late' : signal?.aborted ? 'aborted' : null
        reject(new RequestFailedError(error, ended ?? (isStale ? 'stale' : unsent ? 'unsent' : 'unknown')))
      })
      sent.on('close', () => {
        clearTimeout(timer)
        running.delete(sent)
      })
      sent.end(body)
      if (signal?.aborted) abort()
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

  return {
    request,
    close() {
      signal?.removeEventListener('abort', abort)
      agent.destroy()
    },
  }
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
