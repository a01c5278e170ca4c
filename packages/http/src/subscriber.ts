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
import { admission } from './admission.ts'
import {
  type Answer,
  CLOSING,
  problem,
  RETRY_MS,
  rejection,
  settlementAnswer,
  unavailable,
} from './answer.ts'
import { BodyUsedError } from './body.ts'
import type { Incoming, Mount } from './incoming.ts'

/** What one path receives, and its bounds. */
export interface HttpSubscriberOptions {
  /** The path that is received at, exactly: `/events`. The query of a request is not looked at. */
  readonly path: string
  /** Default `['POST']`. */
  readonly methods?: readonly string[]
  /** Greatest body, bytes; default 1 MiB. */
  readonly maxBodyBytes?: number
  /** Requests at one time that have no answer yet; more get 503. Default 256. */
  readonly window?: number
  /** Until a request's body has arrived, milliseconds; default 30 000. */
  readonly bodyTimeoutMs?: number
  /** After this many milliseconds a request that is not settled is answered 503; default 25 000, less than clients wait. */
  readonly answerTimeoutMs?: number
}

/** What an HTTP delivery has beside the contract: facts of its request. */
export interface HttpDelivery extends Delivery {
  readonly http: { readonly method: string; readonly clientAddress: string | undefined }
}

/** One request that has no answer yet. */
interface Exchange {
  readonly incoming: Incoming
  /** Aborted when the caller has gone, or will hear nothing more of this delivery. */
  readonly gone: AbortController
  timer: NodeJS.Timeout | undefined
  delivery: HttpDelivery | undefined
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024
const DEFAULT_WINDOW = 256
const DEFAULT_BODY_TIMEOUT_MS = 30_000
const DEFAULT_ANSWER_TIMEOUT_MS = 25_000

const GONE = unavailable('TL_CALLER_GONE', 'the caller went away', RETRY_MS)

/**
 * Each request to the path is one delivery, and its settlement is the answer. Requests beyond the window, and all while
 * nobody reads after reading has ended, are answered 503 at once. Throws PermanentError when an option is not valid.
 */
export function httpSubscriber(options: HttpSubscriberOptions, mount: Mount): Subscriber {
  const {
    path,
    methods = ['POST'],
    maxBodyBytes = DEFAULT_MAX_BODY_BYTES,
    window = DEFAULT_WINDOW,
    bodyTimeoutMs = DEFAULT_BODY_TIMEOUT_MS,
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

  const admit = admission(
    path,
    methods.map((method) => method.toUpperCase()),
    maxBodyBytes,
  )
  const endpoint = { path, handle }

  function notify(): void {
    changed.resolve()
    changed = Promise.withResolvers()
  }

  function handle(incoming: Incoming): void {
    const refusal = draining || closed ? CLOSING : (admit(incoming) ?? busy())
    if (refusal === CLOSING) incoming.answer(CLOSING, true)
    else if (refusal !== null) incoming.refuse(refusal)
    else void receive(incoming)
  }

  function busy(): Answer | null {
    if (exchanges.size < window) return null
    const detail = `${exchanges.size} events are being processed; send it again later`
    return unavailable('TL_BUSY', detail, RETRY_MS)
  }

  async function receive(incoming: Incoming): Promise<void> {
    const gone = new AbortController()
    const arrival = context.active()
    const exchange: Exchange = { incoming, gone, timer: undefined, delivery: undefined }
    exchanges.add(exchange)
    exchange.timer = setTimeout(() => late(exchange), bodyTimeoutMs)
    incoming.onEnd(() => {
      // Every request ends: an error is made, with its stack, only where it is one.
      if (exchanges.has(exchange)) end(exchange, new UnavailableError('the caller went away'), GONE)
    })
    try {
      const body = await incoming.body(maxBodyBytes)
      if (!exchanges.has(exchange)) return
      clearTimeout(exchange.timer)
      exchange.timer = setTimeout(() => expire(exchange), answerTimeoutMs)
      exchange.delivery = deliveryOf(incoming, path, body, gone.signal, arrival)
      unsettled.set(exchange.delivery, exchange)
      waiting.push(exchange.delivery)
      notify()
    } catch (error) {
      if (error instanceof TooLargeError) answer(exchange, rejection(error), true)
      else if (error instanceof BodyUsedError) answer(exchange, problem(500, error.code, error.message), true)
      else end(exchange, new UnavailableError(errorMessage(error)), GONE)
    }
  }

  function late(exchange: Exchange): void {
    const detail = `the body did not arrive within ${bodyTimeoutMs} ms`
    answer(exchange, problem(408, 'TL_BODY_TIMEOUT', detail), true)
  }

  function expire(exchange: Exchange): void {
    const detail = `the event was not processed within ${answerTimeoutMs} ms; send it again`
    answer(exchange, unavailable('TL_ANSWER_TIMEOUT', detail, RETRY_MS), draining)
    exchange.gone.abort(new UnavailableError(detail))
  }

  function answer(exchange: Exchange, what: Answer, close: boolean): void {
    forget(exchange)
    exchange.incoming.answer(what, close)
  }

  /** Nobody hears the answer any more; after one there is nothing left to end. */
  function end(exchange: Exchange, reason: Error, what: Answer): void {
    if (!exchanges.has(exchange)) return
    answer(exchange, what, true)
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
    attached ??= mount.attach(endpoint).catch((error: unknown) => {
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
      return mount.attributes()
    },
    open,
    deliveries,
    settle,
    async close() {
      closed = true
      giveBack([...exchanges])
      notify()
      await attached?.catch(() => {})
      await mount.detach(endpoint)
    },
  }
}

function deliveryOf(
  incoming: Incoming,
  destination: string,
  body: Uint8Array,
  signal: AbortSignal,
  arrival: Context,
): HttpDelivery {
  const contentType = incoming.header('content-type')
  return {
    message: { body, headers: incoming.headers(), ...(contentType === undefined ? {} : { contentType }) },
    position: { destination },
    attempt: 1,
    signal,
    // An instrumentation of the server has made its SERVER span by now.
    ...(trace.getSpan(arrival) === undefined ? {} : { context: arrival }),
    http: { method: incoming.method, clientAddress: incoming.clientAddress },
  }
}
