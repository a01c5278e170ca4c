import type { Context, Span, SpanContext } from '@opentelemetry/api'
import type { Delivery, Settlement, Transport } from '../contract.ts'
import { PermanentError, UnavailableError } from '../errors.ts'
import type { CloudEvent } from '../event.ts'
import type { Message } from '../message.ts'
import type { ProcessSpan, ProcessStart } from '../tracing/process.ts'
import { type Eventually, joinedSignal, runAttempt } from './attempt.ts'
import { backoffMs } from './backoff.ts'
import type { GivenUp } from './deadletter.ts'
import {
  backoffOf,
  type ConsumeSetting,
  DEFAULT_ATTEMPTS,
  DEFAULT_RETRY_AFTER_MS,
  giveUp,
  outcomeOfGivingUp,
} from './giveup.ts'
import type { EventHandler, Handling, MessageHandler } from './options.ts'
import { positionText } from './position.ts'

/** What one delivery is handled with. */
export interface HandlerSetting extends ConsumeSetting {
  readonly handler:
    | { readonly raw: false; readonly run: EventHandler }
    | { readonly raw: true; readonly run: MessageHandler }
  readonly startProcess: (start: ProcessStart) => ProcessSpan
}

const ACCEPT: Settlement = { outcome: 'accept' }

/** The event in a delivery, or why there is none. */
export function decode(
  { binding }: Pick<Transport<never, never>, 'binding'>,
  delivery: Delivery,
): CloudEvent | Error {
  try {
    return binding.decode(delivery.message)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** One delivery on its way from its first attempt to its settlement. */
export interface Work {
  readonly delivery: Delivery
  /** Undefined for a raw message, or one that is no valid event. */
  readonly event: CloudEvent | undefined
  /** Why it is no valid event. */
  readonly fault: Error | undefined
  tries: number
  failures: number
  unavailable: number
  previous: SpanContext | undefined
  /** Set once the delivery is given up; from then on only its dead letter is tried. */
  givenUp: GivenUp | undefined
}

/**
 * What handles the deliveries of one subscription: each from its first attempt to its settlement, by a step that is
 * repeated until it returns null. Nothing is accepted before the handler has returned, nothing rejected before its dead
 * letter is confirmed.
 */
export interface DeliveryHandler {
  begin(delivery: Delivery): Work
  /** Gives the milliseconds after which it is to be called again, null when the delivery is done. Never throws or rejects. */
  step(work: Work): Eventually<number | null>
}

export function deliveryHandler(setting: HandlerSetting): DeliveryHandler {
  const { transport, options, handler, settle } = setting
  const { answersSender } = transport.features
  const attempts = options.retry?.attempts ?? DEFAULT_ATTEMPTS
  const backoff = backoffOf(options)

  function step(work: Work): Eventually<number | null> {
    const { delivery, event, previous } = work
    if (delivery.signal?.aborted) return null
    if (work.givenUp !== undefined) return bury(work, work.givenUp)
    work.tries++
    const attempt = delivery.attempt + work.tries - 1
    const process = setting.startProcess({ delivery, event, attempt, previous })
    const error = runAttempt(
      process,
      (timeUp) => run(work, new AttemptHandling(delivery, process, attempt, setting.stopped, timeUp)),
      (failure) => outcomeOf(work, failure),
      options,
    )
    return error instanceof Promise
      ? error.then((failure) => conclude(work, process, attempt, failure))
      : conclude(work, process, attempt, error)
  }

  function conclude(
    work: Work,
    process: ProcessSpan,
    attempt: number,
    error: Error | null,
  ): Eventually<number | null> {
    const { delivery, event } = work
    const { span } = process
    if (error === null) {
      settle(delivery, ACCEPT, span)
      return null
    }
    work.previous = span.spanContext()
    if (delivery.signal?.aborted) return null
    if (isFinal(work, error)) {
      work.givenUp = { delivery, event, reason: error, attempts: attempt, failed: process }
      return bury(work, work.givenUp)
    }
    if (error instanceof UnavailableError) work.unavailable++
    else work.failures++
    const retryMs = retryAfter(work, error)
    options.onProblem?.({ kind: 'retry', error, retryMs, position: positionText(delivery.position), attempt })
    if (!answersSender) return retryMs
    settle(delivery, { outcome: 'release', delayMs: retryMs }, span)
    return null
  }

  function run({ delivery, event, fault }: Work, handling: Handling): Promise<unknown> | unknown {
    if (handler.raw) return handler.run(delivery.message, handling)
    if (fault !== undefined) throw fault
    return event === undefined ? undefined : handler.run(event, handling)
  }

  /** Called with the failure before it has been counted. */
  function isFinal({ failures }: Work, error: Error): boolean {
    if (error instanceof PermanentError) return true
    // A sender that waits for its answer makes the next attempt itself.
    return !(error instanceof UnavailableError) && !answersSender && failures + 1 >= attempts
  }

  function outcomeOf(work: Work, error: Error | null): 'accept' | 'release' | 'reject' {
    if (error === null) return 'accept'
    return isFinal(work, error) ? outcomeOfGivingUp(setting) : 'release'
  }

  function retryAfter({ failures, unavailable }: Work, error: Error): number {
    if (error instanceof UnavailableError) {
      const own = answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(unavailable, backoff)
      return Math.max(error.retryAfterMs ?? 0, own)
    }
    return answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(failures, backoff)
  }

  async function bury(work: Work, letter: GivenUp): Promise<number | null> {
    const retryMs = await giveUp(setting, letter, work.unavailable + 1)
    if (retryMs !== null) work.unavailable++
    return retryMs
  }

  function begin(delivery: Delivery): Work {
    const decoded = handler.raw ? undefined : decode(transport, delivery)
    const isFault = decoded instanceof Error
    return {
      delivery,
      event: isFault ? undefined : decoded,
      fault: isFault ? decoded : undefined,
      tries: 0,
      failures: 0,
      unavailable: 0,
      previous: undefined,
      givenUp: undefined,
    }
  }

  return { begin, step }
}

/** A class for the sake of its getter: most handlers never ask for the signal. In a literal a getter is dear by itself. */
class AttemptHandling implements Handling {
  readonly span: Span
  readonly context: Context
  readonly attempt: number
  readonly message: Message
  readonly delivery: Delivery
  readonly #stopped: AbortSignal
  readonly #timeUp: AbortSignal | undefined
  #joined: AbortSignal | undefined

  constructor(
    delivery: Delivery,
    { span, context }: ProcessSpan,
    attempt: number,
    stopped: AbortSignal,
    timeUp: AbortSignal | undefined,
  ) {
    this.span = span
    this.context = context
    this.attempt = attempt
    this.message = delivery.message
    this.delivery = delivery
    this.#stopped = stopped
    this.#timeUp = timeUp
  }

  get signal(): AbortSignal {
    this.#joined ??= joinedSignal([this.#stopped, this.#timeUp, this.delivery.signal])
    return this.#joined
  }
}
