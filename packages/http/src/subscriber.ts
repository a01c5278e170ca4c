import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, context, trace } from '@opentelemetry/api'
import {
  type Delivery,
  errorMessage,
  PermanentError,
  type Settlement,
  type Subscriber,
  TooLargeError,
  UnavailableError,
} from '@throughline/core'
import { type Answer, problem, rejection, settlementAnswer, unavailable, writeAnswer } from './answer.ts'
import { readBody } from './body.ts'
import { messageHeaders, readFieldValue } from './headers.ts'
import { refuse, type SharedServer } from './server.ts'

export interface HttpSubscriberOptions {
  /** The path that is received at, exactly: `/events`. The query of a request is not looked at. */
  readonly path: string
  /** Default `['POST']`. */
  readonly methods?: readonly string[]
  /** Greatest body, bytes; default 1 MiB. */
  readonly maxBodyBytes?: number
  /** Requests at one time that have no answer yet; more get 503. Default 256. */
  readonly window?: number
  /** After this many milliseconds a request that is not settled is answered 503; default 25 000, less than clients wait. */
  readonly answerTimeoutMs?: number
}

/** What an HTTP delivery has beside the contract: facts of its request. */
export interface HttpDelivery extends Delivery {
  readonly http: { readonly method: string; readonly clientAddress: string | undefined }
}

/** One request that has no answer yet. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborted when the caller has gone, or will hear nothing more of this delivery. */
  readonly gone: AbortController
  timer: NodeJS.Timeout | undefined
  delivery: HttpDelivery | undefined
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024
const DEFAULT_WINDOW = 256
const DEFAULT_ANSWER_TIMEOUT_MS = 25_000
const BUSY_RETRY_MS = 1000

const CLOSING = unavailable('TL_CLOSING', 'the service is being stopped; send the event again', BUSY_RETRY_MS)

/**
 * Each request to the path is one delivery, and its settlement is the answer. Requests beyond the window, and all while
 * nobody reads after reading has ended, are answered 503 at once. Throws PermanentError when an option is not valid.
 */
export function httpSubscriber(options: HttpSubscriberOptions, server: SharedServer): Subscriber {
  const {
    path,
    methods = ['POST'],
    maxBodyBytes = DEFAULT_MAX_BODY_BYTES,
    window = DEFAULT_WINDOW,
    answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS,
  } = options
  if (!/^\/[^?#\s]*$/.test(path)) {
    throw new PermanentError(`path ${JSON.stringify(path)} must begin with / and have no query`, {
      code: 'TL_PATH_INVALID',
    })
  }
  const exchanges = new Set<Exchange>()
  const unsettled = new Map<Delivery, Exchange>()
  let waiting: HttpDelivery[] = []
  let changed = Promise.withResolvers<void>()
  let attached: Promise<void> | null = null
  let draining = false
  let closed = false

  const endpoint = { path, methods: methods.map((method) => method.toUpperCase()), handle }

  function notify(): void {
    changed.resolve()
    changed = Promise.withResolvers()
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const refusal = refusalOf(request)
    if (refusal === CLOSING) writeAnswer(request, response, CLOSING, true)
    else if (refusal !== null) refuse(request, response, refusal)
    else void receive(request, response)
  }

  /** What can be said before the body is read. */
  function refusalOf({ headers }: IncomingMessage): Answer | null {
    if (draining || closed) return CLOSING
    if (exchanges.size >= window) {
      const detail = `${exchanges.size} events are being processed; send it again later`
      return unavailable('TL_BUSY', detail, BUSY_RETRY_MS)
    }
    const length = Number(headers['content-length'] ?? 0)
    if (length > maxBodyBytes) return rejection(new TooLargeError(maxBodyBytes, length))
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding.toLowerCase() !== 'identity') {
      const detail = `content-encoding ${encoding.slice(0, 64)} is not supported; send the body as it is`
      return problem(415, 'TL_CONTENT_ENCODING_UNSUPPORTED', detail, {
        headers: { 'accept-encoding': 'identity' },
      })
    }
    return null
  }

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    const arrival = context.active()
    const exchange: Exchange = { request, response, gone, timer: undefined, delivery: undefined }
    exchanges.add(exchange)
    response.once('close', () => end(exchange, new UnavailableError('the caller went away')))
    try {
      const body = await readBody(request, maxBodyBytes)
      if (!exchanges.has(exchange)) return
      exchange.timer = setTimeout(() => expire(exchange), answerTimeoutMs)
      exchange.delivery = deliveryOf(request, path, body, gone.signal, arrival)
      unsettled.set(exchange.delivery, exchange)
      waiting.push(exchange.delivery)
      notify()
    } catch (error) {
      if (error instanceof TooLargeError) answer(exchange, rejection(error), true)
      else end(exchange, new UnavailableError(errorMessage(error)))
    }
  }

  function expire(exchange: Exchange): void {
    const detail = `the event was not processed within ${answerTimeoutMs} ms; send it again`
    answer(exchange, unavailable('TL_ANSWER_TIMEOUT', detail, BUSY_RETRY_MS), draining)
    exchange.gone.abort(new UnavailableError(detail))
  }

  function answer(exchange: Exchange, what: Answer, close: boolean): void {
    forget(exchange)
    writeAnswer(exchange.request, exchange.response, what, close)
  }

  /** The connection is gone; after an answer there is nothing left to end. */
  function end(exchange: Exchange, reason: Error): void {
    if (!exchanges.has(exchange)) return
    forget(exchange)
    exchange.gone.abort(reason)
  }

  function forget(exchange: Exchange): void {
    exchanges.delete(exchange)
    clearTimeout(exchange.timer)
    const { delivery } = exchange
    if (delivery === undefined) return
    unsettled.delete(delivery)
    if (waiting.includes(delivery)) waiting = waiting.filter((other) => other !== delivery)
  }

  /** Answers 503 to those requests that nobody will handle any more. */
  function giveBack(which: Iterable<Exchange>): void {
    for (const exchange of which) {
      answer(exchange, CLOSING, true)
      exchange.gone.abort(new UnavailableError('the subscriber is closing'))
    }
  }

  async function open(): Promise<void> {
    if (closed) throw new PermanentError('the subscriber is closed')
    attached ??= server.attach(endpoint).catch((error: unknown) => {
      attached = null
      throw error
    })
    await attached
  }

  async function* deliveries(signal?: AbortSignal): AsyncGenerator<readonly Delivery[]> {
    if (closed || signal?.aborted) return
    await open()
    draining = false
    const drain = () => {
      draining = true
      giveBack([...exchanges].filter(({ delivery }) => delivery === undefined || waiting.includes(delivery)))
      notify()
    }
    signal?.addEventListener('abort', drain, { once: true })
    try {
      while (!closed && !signal?.aborted) {
        if (waiting.length > 0) yield waiting.splice(0)
        else await changed.promise
      }
    } finally {
      signal?.removeEventListener('abort', drain)
      drain()
    }
  }

  async function settle(settled: readonly Delivery[], outcome: Settlement): Promise<void> {
    const what = settlementAnswer(outcome)
    for (const delivery of settled) {
      const exchange = unsettled.get(delivery)
      if (exchange !== undefined) answer(exchange, what, draining)
    }
  }

  return {
    get attributes() {
      const { host, port } = server.listen
      const realPort = server.address()?.port ?? port
      return { 'server.address': host, ...(realPort === 0 ? {} : { 'server.port': realPort }) }
    },
    open,
    deliveries,
    settle,
    async close() {
      closed = true
      giveBack([...exchanges])
      notify()
      await attached?.catch(() => {})
      await server.detach(endpoint)
    },
  }
}

function deliveryOf(
  request: IncomingMessage,
  destination: string,
  body: Uint8Array,
  signal: AbortSignal,
  arrival: Context,
): HttpDelivery {
  const contentType = request.headers['content-type']
  return {
    message: {
      body,
      headers: messageHeaders(request.rawHeaders),
      ...(contentType === undefined ? {} : { contentType: readFieldValue(contentType) }),
    },
    position: { destination },
    attempt: 1,
    signal,
    // An instrumentation of node:http has made its SERVER span by now.
    ...(trace.getSpan(arrival) === undefined ? {} : { context: arrival }),
    http: { method: request.method ?? '', clientAddress: request.socket.remoteAddress },
  }
}
