import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  errorMessage,
  type Header,
  type Message,
  PermanentError,
  type Publisher,
  type PublishResult,
  ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { isConnectionHeader, isHeaderName, type RequestHeaders, requestHeaders } from './headers.ts'
import { createLanes } from './lanes.ts'
import { discard, readStart, refusal } from './response.ts'
import { describeTarget, parseTarget, resolveTarget, type Target } from './target.ts'

/** Where events are posted, and how. */
export interface HttpPublisherOptions {
  /** Where events are posted: an `http:` or `https:` URL. User info in it becomes Basic authorization and is never logged. */
  readonly url: string
  /** Headers of every request; a message's own header of the same name goes before. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default `POST`. */
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  /** Until the answer's head has arrived, waiting for a free connection included, milliseconds; default 30 000. */
  readonly timeoutMs?: number
  /** Connections, and so requests at one time; default 64. Requests beyond wait for a free one. */
  readonly maxConnections?: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_CONNECTIONS = 64

/**
 * The context of our calls: OpenTelemetry's suppress-tracing key, by its public name, so that instrumentations of HTTP
 * make no span of their own and add no second `traceparent`. The root, so that a pooled connection keeps no caller's context.
 */
const SUPPRESSED = ROOT_CONTEXT.setValue(
  createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'),
  true,
)

/**
 * Posts messages, one a request, over kept-alive connections. 2xx is the confirmation; 408, 425, 429, 5xx and a lost
 * connection are UnavailableError; every other answer is PermanentError. Messages of one key are sent one after the other.
 * Throws PermanentError when an option is not valid.
 */
export function httpPublisher(options: HttpPublisherOptions): Publisher {
  const {
    method = 'POST',
    timeoutMs = DEFAULT_TIMEOUT_MS,
    maxConnections = DEFAULT_MAX_CONNECTIONS,
  } = options
  const target = parseTarget(options.url)
  const secure = target.url.protocol === 'https:'
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: maxConnections })
  const defaults: Header[] = Object.entries({
    'user-agent': 'throughline',
    ...(target.authorization === undefined ? {} : { authorization: target.authorization }),
    ...optionHeaders(options.headers ?? {}),
  })
  const lanes = createLanes<PublishResult>()
  const inFlight = new Set<Promise<unknown>>()
  let closed = false

  async function publishOne(message: Message): Promise<PublishResult> {
    try {
      const to = message.destination === undefined ? target : resolveTarget(target, message.destination)
      const headers = requestHeaders(message, defaults)
      return await context.with(SUPPRESSED, send, undefined, to, headers, message.body ?? new Uint8Array())
    } catch (error) {
      if (error instanceof ThroughlineError) return { ok: false, error }
      // Nothing that is known to be the message's own fault: node:http refused it, or a fault of ours.
      return { ok: false, error: new PermanentError(errorMessage(error), { cause: error }) }
    }
  }

  async function send(to: Target, headers: RequestHeaders, body: Uint8Array): Promise<PublishResult> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), timeoutMs)
    try {
      const response = await exchange(to, headers, body, limit.signal)
      // The limit holds for the rest of the answer too, or a stalled one would keep its connection for ever.
      response.once('close', () => clearTimeout(timer))
      const statusCode = response.statusCode ?? 0
      if (statusCode >= 200 && statusCode < 300) {
        await discard(response)
        return { ok: true, statusCode }
      }
      const text = await readStart(response)
      return { ok: false, error: refusal(statusCode, response.headers, text, describeTarget(to)) }
    } catch (error) {
      clearTimeout(timer)
      if (limit.signal.aborted) {
        throw new UnavailableError(`no answer from ${describeTarget(to)} within ${timeoutMs} ms`)
      }
      throw new UnavailableError(`cannot reach ${describeTarget(to)}: ${networkReason(error)}`, {
        cause: error,
      })
    }
  }

  /** One request; repeated once when a kept connection turns out to have been closed by the server before it answered. */
  function exchange(
    to: Target,
    headers: RequestHeaders,
    body: Uint8Array,
    signal: AbortSignal,
    retried = false,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(to.url, {
        agent,
        method,
        signal,
        headers: { ...headers, 'content-length': body.byteLength },
      })
      request.on('response', resolve)
      request.on('error', (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        if (stale && !retried && !signal.aborted) {
          exchange(to, headers, body, signal, true).then(resolve, reject)
        } else reject(error)
      })
      request.end(body)
    })
  }

  async function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    if (closed) {
      const error = new UnavailableError('the publisher is closed')
      return messages.map(() => ({ ok: false, error }))
    }
    const results = Promise.all(messages.map((message) => lanes.run(message.key, () => publishOne(message))))
    inFlight.add(results)
    return results.finally(() => inFlight.delete(results))
  }

  return {
    destination: target.url.pathname,
    attributes: { ...target.attributes, 'http.request.method': method },
    /** HTTP has no connection to make beforehand: each request makes or takes its own. */
    open: async () => {},
    publish,
    async close() {
      closed = true
      await Promise.all(inFlight)
      agent.destroy()
    },
  }
}

/** Names in lower case, so that they replace defaults. Throws PermanentError for one that is not the user's to set. */
function optionHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (!isHeaderName(name) || isConnectionHeader(name)) {
        throw new PermanentError(`headers: ${JSON.stringify(name)} cannot be set`, {
          code: 'TL_HEADER_INVALID',
        })
      }
      return [name.toLowerCase(), value]
    }),
  )
}

/** A socket error's code says it all; its text repeats the address. */
function networkReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return networkReason(error.errors[0])
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code === 'ECONNRESET' ? 'ECONNRESET, the connection was closed before an answer' : error.code
  }
  return errorMessage(error)
}
