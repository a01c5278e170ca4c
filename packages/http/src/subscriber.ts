import { context } from '@opentelemetry/api'
import {
  type Delivery,
  errorMessage,
  PermanentError,
  type Settlement,
  type Subscriber,
  TooLargeError,
  UnavailableError,
} from '@throughline/core'
import { type AdmissionOptions, createAdmission } from './admission.ts'
import {
  type Answer,
  batchAnswer,
  CLOSING,
  NO_CONTENT,
  problem,
  RETRY_MS,
  rejection,
  settlementAnswer,
  unavailable,
} from './answer.ts'
import { BodyUsedError } from './body.ts'
import { deliveriesOf, type Exchange, type HttpDelivery, newExchange } from './exchange.ts'
import type { Incoming, Mount } from './incoming.ts'

/** What one path receives, and its bounds. */
export interface HttpSubscriberOptions extends AdmissionOptions {
  /** The path that is received at, exactly: `/events`. The query of a request is not looked at, but for `access_token`. */
  readonly path: string
  /** Requests at one time that have no answer yet; more get 503. Default 256. */
  readonly window?: number
  /** Events in one batch at most; a larger one is answered 413. Default 1000. */
  readonly maxBatchEvents?: number
  /** Until a request's body has arrived, milliseconds; default 30 000. */
  readonly bodyTimeoutMs?: number
  /** After this many milliseconds a request that is not settled is answered 503; default 25 000, less than clients wait. */
  readonly answerTimeoutMs?: number
}

const DEFAULT_WINDOW = 256
const DEFAULT_MAX_BATCH_EVENTS = 1000
const DEFAULT_BODY_TIMEOUT_MS = 30_000
const DEFAULT_ANSWER_TIMEOUT_MS = 25_000

const GONE = unavailable('TL_CALLER_GONE', 'the caller went away', RETRY_MS)

/**
 * Each request to the path is one delivery, or one for each event of a batch, and their settlement is the answer. A raw
 * subscription gets a batch as the one message it is. Requests beyond the window, and all while nobody reads after
 * reading has ended, are answered 503 at once. Throws PermanentError when an option is not valid.
 */
export function httpSubscriber(
  options: HttpSubscriberOptions & { readonly raw?: boolean },
  mount: Mount,
): Subscriber {
  const {
    path,
    window = DEFAULT_WINDOW,
    maxBatchEvents = DEFAULT_MAX_BATCH_EVENTS,
    bodyTimeoutMs = DEFAULT_BODY_TIMEOUT_MS,
    answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS,
  } = options
  if (!/^\/[^?#\s]*$/.test(path)) {
    throw new PermanentError(`path ${JSON.stringify(path)} must begin with / and have no query`, {
      code: 'TL_PATH_INVALID',
    })
  }
  const { refusal, rate, maxBodyBytes, isPrivate } = createAdmission(path, options)
  const reading = { path, maxBatchEvents: options.raw ? null : maxBatchEvents, isPrivate }
  const exchanges = new Set<Exchange>()
  const unsettled = new Map<Delivery, Exchange>()
  let waiting: HttpDelivery[] = []
  /** Made by who waits for it. */
  let changed: PromiseWithResolvers<void> | null = null
  let attached: Promise<void> | null = null
  let draining = false
  let closed = false

  const endpoint = { path, handle }

  function notify(): void {
    changed?.resolve()
    changed = null
  }

  function handle(incoming: Incoming): void {
    const refused = draining || closed ? CLOSING : (refusal(incoming) ?? busy() ?? rate())
    if (refused === CLOSING) incoming.answer(CLOSING, true)
    else if (refused !== null) incoming.refuse(refused)
    else void receive(newExchange(incoming, context.active()))
  }

  function busy(): Answer | null {
    if (exchanges.size < window) return null
    const detail = `${exchanges.size} events are being processed; send it again later`
    return unavailable('TL_BUSY', detail, RETRY_MS)
  }

  async function receive(exchange: Exchange): Promise<void> {
    const { incoming } = exchange
    exchanges.add(exchange)
    exchange.timer = setTimeout(late, bodyTimeoutMs, exchange)
    incoming.onEnd(() => end(exchange, 'the caller went away'))
    try {
      const body = await incoming.body(maxBodyBytes)
      if (exchanges.has(exchange)) deliver(exchange, body)
    } catch (error) {
      if (error instanceof BodyUsedError) answer(exchange, problem(500, error.code, error.message), true)
      else if (error instanceof TooLargeError) answer(exchange, rejection(error), true)
      else if (error instanceof PermanentError) answer(exchange, rejection(error), draining)
      else end(exchange, errorMessage(error))
    }
  }

  function deliver(exchange: Exchange, body: Uint8Array): void {
    clearTimeout(exchange.timer)
    exchange.deliveries = deliveriesOf(exchange, body, reading)
    if (exchange.deliveries.length === 0) {
      answer(exchange, NO_CONTENT, draining)
      return
    }
    exchange.timer = setTimeout(expire, answerTimeoutMs, exchange)
    for (const delivery of exchange.deliveries) {
      unsettled.set(delivery, exchange)
      waiting.push(delivery)
    }
    notify()
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

  /** Answers a request; `what` holds for those of its deliveries that are not settled. */
  function answer(exchange: Exchange, what: Answer, close: boolean): void {
    const { incoming, deliveries, answers } = exchange
    exchanges.delete(exchange)
    clearTimeout(exchange.timer)
    for (const delivery of deliveries) unsettled.delete(delivery)
    const [first] = deliveries
    if (first !== undefined && waiting.includes(first)) {
      waiting = waiting.filter((delivery) => !deliveries.includes(delivery))
    }
    const own =
      answers === null ? what : batchAnswer(deliveries.map((delivery) => answers.get(delivery) ?? what))
    incoming.answer(isPrivate ? privately(own) : own, close)
  }

  /** Nobody hears the answer any more; after one there is nothing left to end. */
  function end(exchange: Exchange, reason: string): void {
    if (!exchanges.has(exchange)) return
    answer(exchange, GONE, true)
    // Made here: every request ends, and an error's stack is dear.
    exchange.gone.abort(new UnavailableError(reason))
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
      // The deliveries of one request are handed over together.
      giveBack(
        [...exchanges].filter(({ deliveries: [first] }) => first === undefined || waiting.includes(first)),
      )
      notify()
    }
    signal?.addEventListener('abort', drain, { once: true })
    try {
      while (!closed && !signal?.aborted) {
        if (waiting.length > 0) {
          const arrived = waiting
          waiting = []
          yield arrived
        } else {
          changed ??= Promise.withResolvers()
          await changed.promise
        }
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
      if (exchange === undefined) continue
      unsettled.delete(delivery)
      const answers = exchange.answers?.set(delivery, what)
      if (answers === undefined || answers.size === exchange.deliveries.length) {
        answer(exchange, what, draining)
      }
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

/** Webhooks 1.0 §3.2: a success that a token in the address gave is for nobody else. */
function privately(answer: Answer): Answer {
  if (answer.status >= 300) return answer
  return { ...answer, headers: { ...answer.headers, 'cache-control': 'private' } }
}
