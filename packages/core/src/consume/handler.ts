import type { SpanContext } from '@opentelemetry/api'
import type { Delivery, Settlement, Transport } from '../contract.ts'
import {
  InvalidEventError,
  PermanentError,
  StoppedError,
  TooLargeError,
  UnavailableError,
  UnsupportedContentTypeError,
} from '../errors.ts'
import type { CloudEvent } from '../event.ts'
import type { ProcessSpan, ProcessStart } from '../tracing/process.ts'
import { runAttempt } from './attempt.ts'
import { backoffMs } from './backoff.ts'
import { type GivenUp, publishDeadLetter } from './deadletter.ts'
import type { Step } from './lanes.ts'
import type { ConsumeOptions, EventHandler, Handling, MessageHandler } from './options.ts'
import { positionText } from './position.ts'

/** What a subscription gives its deliveries to be handled with. */
export interface HandlerSetting {
  readonly transport: Transport<never, never>
  readonly options: ConsumeOptions
  readonly handler:
    | { readonly raw: false; readonly run: EventHandler }
    | { readonly raw: true; readonly run: MessageHandler }
  readonly startProcess: (start: ProcessStart) => ProcessSpan
  readonly settle: (delivery: Delivery, outcome: Settlement) => void
  /** Stops the whole subscription; the delivery stays unsettled. */
  readonly stop: (error: StoppedError) => void
  /** Aborted when the subscription has no grace left. */
  readonly stopped: AbortSignal
}

const ACCEPT: Settlement = { outcome: 'accept' }
const DEFAULT_ATTEMPTS = 5
const DEFAULT_RETRY_AFTER_MS = 1000

/**
 * One delivery from its first attempt to its settlement, as a step that is repeated until it returns null.
 * Nothing is accepted before the handler has returned, nothing rejected before its dead letter is confirmed.
 */
export function handleDelivery(setting: HandlerSetting, delivery: Delivery): Step {
  const { transport, options, handler, settle, stop } = setting
  const { answersSender } = transport.features
  const attempts = options.retry?.attempts ?? DEFAULT_ATTEMPTS
  const backoff = { minMs: options.retry?.minMs ?? 200, maxMs: options.retry?.maxMs ?? 30_000 }
  const decoded = handler.raw ? undefined : decode()
  const event = decoded instanceof Error ? undefined : decoded
  let tries = 0
  let failures = 0
  let unavailable = 0
  let previous: SpanContext | undefined
  /** Set once the delivery is given up; from then on only its dead letter is tried. */
  let givenUp: GivenUp | undefined

  function decode(): CloudEvent | Error {
    try {
      return transport.binding.decode(delivery.message)
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  async function step(): Promise<number | null> {
    if (delivery.signal?.aborted) return null
    if (givenUp !== undefined) return deadLetter(givenUp)
    tries++
    const attempt = delivery.attempt + tries - 1
    const end = await runAttempt(
      { delivery, event, attempt, previous },
      setting.startProcess,
      run,
      outcomeOf,
      setting.stopped,
      options,
    )
    previous = end.spanContext
    if (end.ok) {
      settle(delivery, ACCEPT)
      return null
    }
    const { error } = end
    if (delivery.signal?.aborted) return null
    if (isFinal(error)) return giveUp(error, end.span)
    if (error instanceof UnavailableError) unavailable++
    else failures++
    const retryMs = retryAfter(error)
    report('retry', error, retryMs)
    if (!answersSender) return retryMs
    settle(delivery, { outcome: 'release', delayMs: retryMs })
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
    if (!isFinal(error)) return 'release'
    const stays = options.deadLetter === undefined && options.onExhausted !== 'drop' && !answersSender
    return stays ? 'release' : 'reject'
  }

  function retryAfter(error: Error): number {
    if (error instanceof UnavailableError) {
      const own = answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(unavailable, backoff)
      return Math.max(error.retryAfterMs ?? 0, own)
    }
    return answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(failures, backoff)
  }

  async function giveUp(error: Error, span: ProcessSpan): Promise<number | null> {
    // What a waiting sender can mend is answered to it; only what is nobody's to mend is kept.
    if (answersSender && (isSendersFault(error) || options.deadLetter === undefined)) {
      report('rejected', error)
      settle(delivery, { outcome: 'reject', reason: error, deadLettered: false })
      return null
    }
    if (options.deadLetter !== undefined) {
      givenUp = { delivery, event, reason: error, attempts: delivery.attempt + tries - 1, failed: span }
      return deadLetter(givenUp)
    }
    if (options.onExhausted === 'drop') {
      report('dropped', error)
      settle(delivery, { outcome: 'reject', reason: error, deadLettered: false })
      return null
    }
    stop(new StoppedError(positionText(delivery.position), error))
    return null
  }

  async function deadLetter(letter: GivenUp): Promise<number | null> {
    if (options.deadLetter === undefined) return null
    const result = await publishDeadLetter(options.deadLetter, letter)
    if (!result.ok) {
      if (answersSender) {
        settle(delivery, { outcome: 'release', delayMs: DEFAULT_RETRY_AFTER_MS })
        return null
      }
      if (!(result.error instanceof UnavailableError)) {
        // A dead letter that can never be published keeps its delivery: losing it in silence is the one thing not allowed.
        stop(new StoppedError(positionText(delivery.position), result.error))
        return null
      }
      unavailable++
      const retryMs = backoffMs(unavailable, backoff)
      report('retry', result.error, retryMs)
      return retryMs
    }
    report('dead-lettered', letter.reason)
    settle(delivery, { outcome: 'reject', reason: letter.reason, deadLettered: true })
    return null
  }

  function report(kind: 'retry', error: Error, retryMs: number): void
  function report(kind: 'dead-lettered' | 'dropped' | 'rejected', error: Error): void
  function report(kind: 'retry' | 'dead-lettered' | 'dropped' | 'rejected', error: Error, retryMs = 0): void {
    const facts = { error, position: positionText(delivery.position), attempt: delivery.attempt + tries - 1 }
    options.onProblem?.(kind === 'retry' ? { kind, retryMs, ...facts } : { kind, ...facts })
  }

  return step
}

function isSendersFault(error: Error): boolean {
  return (
    error instanceof InvalidEventError ||
    error instanceof UnsupportedContentTypeError ||
    error instanceof TooLargeError
  )
}
