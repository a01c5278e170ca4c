import { type Context, trace } from '@opentelemetry/api'
import type { Delivery, Message } from '@throughline/core'
import type { Answer } from './answer.ts'
import { batchMessages } from './batch.ts'
import type { Incoming } from './incoming.ts'

/** What an HTTP delivery has beside the contract: facts of its request. */
export interface HttpDelivery extends Delivery {
  readonly http: { readonly method: string; readonly clientAddress: string | undefined }
}

/** One request that has no answer yet. */
export interface Exchange {
  readonly incoming: Incoming
  /** Aborted when the caller has gone, or will hear nothing more of its deliveries. */
  readonly gone: AbortController
  /** The context it arrived in. */
  readonly arrival: Context
  timer: NodeJS.Timeout | undefined
  /** None until the body is there; then one, or one for each event of a batch. */
  deliveries: readonly HttpDelivery[]
  /** Of a batch: those of its deliveries that are settled. */
  answers: Map<Delivery, Answer> | null
}

export function newExchange(incoming: Incoming, arrival: Context): Exchange {
  return {
    incoming,
    gone: new AbortController(),
    arrival,
    timer: undefined,
    deliveries: [],
    answers: null,
  }
}

export interface Reading {
  readonly path: string
  /** null: a batch is not taken apart. */
  readonly maxBatchEvents: number | null
  /** Whether `authorization` is a token of this path's own, which is nobody else's business. */
  readonly isPrivate: boolean
}

/**
 * The deliveries of a request whose body is there; none for an empty batch. What says that it is a batch and is none
 * stays one message, whose reader says what is wrong with it. Throws TooManyEventsError.
 */
export function deliveriesOf(
  exchange: Exchange,
  body: Uint8Array,
  { path, maxBatchEvents, isPrivate }: Reading,
): readonly HttpDelivery[] {
  const { incoming, gone, arrival } = exchange
  const contentType = incoming.header('content-type')
  const headers = isPrivate
    ? incoming.headers().filter(([name]) => name.toLowerCase() !== 'authorization')
    : incoming.headers()
  const message: Message = { body, headers, ...(contentType === undefined ? {} : { contentType }) }
  const batch = maxBatchEvents === null ? null : batchMessages(message, maxBatchEvents)
  if (batch !== null) exchange.answers = new Map()
  const shared = {
    position: { destination: path },
    attempt: 1,
    signal: gone.signal,
    // An instrumentation of the server has made its SERVER span by now.
    ...(trace.getSpan(arrival) === undefined ? {} : { context: arrival }),
    http: { method: incoming.method, clientAddress: incoming.clientAddress },
  }
  return (batch ?? [message]).map((each) => ({ message: each, ...shared }))
}
