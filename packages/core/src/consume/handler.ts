import type { SpanContext } from '@opentelemetry/api'
import type { Delivery, Settlement, Transport } from '../contract.ts'
import { PermanentError, UnavailableError } from '../errors.ts'
import type { CloudEvent } from '../event.ts'
import type { ProcessSpan, ProcessStart } from '../tracing/process.ts'
import { type LazySignal, runAttempt } from './attempt.ts'
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
import type { Step } from './lanes.ts'
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
interface Work {
  readonly delivery: Delivery
  /** Undefined for a raw message, or one that is no valid event. */
  readonly event: CloudEvent | undefined
  /** Why it is no valid event. */
  readonly fault: Error | undefined
  readonly signals: readonly [AbortSignal, ...AbortSignal[]]
  tries: number
  failures: number
  unavailable: number
  previous: SpanContext | undefined
  /** Set once the delivery is given up; from then on only its dead letter is tried. */
  givenUp: GivenUp | undefined
}

/**
 * What handles the deliveries of one subscription: each from its first attempt to its settlement, as a step that is
 * repeated until it returns null. Nothing is accepted before the handler has returned, nothing rejected before its dead
 * letter is confirmed.
 */
export function deliveryHandler(setting: HandlerSetting): (delivery: Delivery) => Step {
  const { transport, options, handler, settle } = setting
  const { answersSender } = transport.features
  const attempts = options.retry?.attempts ?? DEFAULT_ATTEMPTS
  const backoff = backoffOf(options)

  async function step(work: Work): Promise<number | null> {
    const { delivery, event } = work
    if (delivery.signal?.aborted) return null
    if (work.givenUp !== undefined) return bury(work, work.givenUp)
    work.tries++
    const attempt = delivery.attempt + work.tries - 1
    const process = setting.startProcess({ delivery, event, attempt, previous: work.previous })
    const { span } = process
    const error = await runAttempt(
      process,
      (signal) => run(work, handlingOf(delivery, process, attempt, signal)),
      (failure) => outcomeOf(work, failure),
      work.signals,
      options,
    )
    work.previous = span.spanContext()
    if (error === null) {
      settle(delivery, ACCEPT, span)
      return null
    }
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

  return (delivery) => {
    const decoded = handler.raw ? undefined : decode(transport, delivery)
    const isFault = decoded instanceof Error
    const work: Work = {
      delivery,
      event: isFault ? undefined : decoded,
      fault: isFault ? decoded : undefined,
      signals: delivery.signal === undefined ? [setting.stopped] : [setting.stopped, delivery.signal],
      tries: 0,
      failures: 0,
      unavailable: 0,
      previous: undefined,
      givenUp: undefined,
    }
    return () => step(work)
  }
}

function handlingOf(
  delivery: Delivery,
  { span, context }: ProcessSpan,
  attempt: number,
  signal: LazySignal,
): Handling {
  return {
    span,
    context,
    attempt,
    message: delivery.message,
    delivery,
    get signal() {
      return signal()
    },
  }
}
