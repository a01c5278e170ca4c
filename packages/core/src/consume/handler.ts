import type { SpanContext } from '@opentelemetry/api'
import type { Delivery, Settlement, Transport } from '../contract.ts'
import { PermanentError, UnavailableError } from '../errors.ts'
import type { CloudEvent } from '../event.ts'
import type { ProcessSpan, ProcessStart } from '../tracing/process.ts'
import { runAttempt } from './attempt.ts'
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

/**
 * One delivery from its first attempt to its settlement, as a step that is repeated until it returns null.
 * Nothing is accepted before the handler has returned, nothing rejected before its dead letter is confirmed.
 */
export function handleDelivery(setting: HandlerSetting, delivery: Delivery): Step {
  const { transport, options, handler, settle } = setting
  const { answersSender } = transport.features
  const attempts = options.retry?.attempts ?? DEFAULT_ATTEMPTS
  const backoff = backoffOf(options)
  const decoded = handler.raw ? undefined : decode(transport, delivery)
  const event = decoded instanceof Error ? undefined : decoded
  const signals: [AbortSignal, ...AbortSignal[]] =
    delivery.signal === undefined ? [setting.stopped] : [setting.stopped, delivery.signal]
  let tries = 0
  let failures = 0
  let unavailable = 0
  let previous: SpanContext | undefined
  /** Set once the delivery is given up; from then on only its dead letter is tried. */
  let givenUp: GivenUp | undefined

  async function step(): Promise<number | null> {
    if (delivery.signal?.aborted) return null
    if (givenUp !== undefined) return bury(givenUp)
    tries++
    const attempt = delivery.attempt + tries - 1
    const process = setting.startProcess({ delivery, event, attempt, previous })
    const { span, context } = process
    const { message } = delivery
    const error = await runAttempt(
      process,
      (signal) => run({ span, context, attempt, message, delivery, signal }),
      outcomeOf,
      signals,
      options,
    )
    previous = span.spanContext()
    if (error === null) {
      settle(delivery, ACCEPT, span)
      return null
    }
    if (delivery.signal?.aborted) return null
    if (isFinal(error)) {
      givenUp = { delivery, event, reason: error, attempts: attempt, failed: process }
      return bury(givenUp)
    }
    if (error instanceof UnavailableError) unavailable++
    else failures++
    const retryMs = retryAfter(error)
    options.onProblem?.({ kind: 'retry', error, retryMs, position: positionText(delivery.position), attempt })
    if (!answersSender) return retryMs
    settle(delivery, { outcome: 'release', delayMs: retryMs }, span)
    return null
  }

  function run(handling: Handling): Promise<unknown> | unknown {
    if (handler.raw) return handler.run(delivery.message, handling)
    if (decoded instanceof Error) throw decoded
    return event === undefined ? undefined : handler.run(event, handling)
  }

  /** Called with the failure before it has been counted. */
  function isFinal(error: Error): boolean {
    if (error instanceof PermanentError) return true
    // A sender that waits for its answer makes the next attempt itself.
    return !(error instanceof UnavailableError) && !answersSender && failures + 1 >= attempts
  }

  function outcomeOf(error: Error | null): 'accept' | 'release' | 'reject' {
    if (error === null) return 'accept'
    return isFinal(error) ? outcomeOfGivingUp(setting) : 'release'
  }

  function retryAfter(error: Error): number {
    if (error instanceof UnavailableError) {
      const own = answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(unavailable, backoff)
      return Math.max(error.retryAfterMs ?? 0, own)
    }
    return answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(failures, backoff)
  }

  async function bury(letter: GivenUp): Promise<number | null> {
    const retryMs = await giveUp(setting, letter, unavailable + 1)
    if (retryMs !== null) unavailable++
    return retryMs
  }

  return step
}
