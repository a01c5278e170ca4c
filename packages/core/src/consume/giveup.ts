import type { Span } from '@opentelemetry/api'
import type { Delivery, Settlement, Transport } from '../contract.ts'
import {
  InvalidEventError,
  StoppedError,
  TooLargeError,
  UnavailableError,
  UnsupportedContentTypeError,
} from '../errors.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import { type GivenUp, publishDeadLetter } from './deadletter.ts'
import type { ConsumeOptions } from './options.ts'
import { positionText } from './position.ts'

/** What a subscription gives whoever handles its deliveries. */
export interface ConsumeSetting {
  readonly transport: Transport<never, never>
  readonly options: ConsumeOptions
  /** `process` is the span in which the delivery was handled. */
  readonly settle: (delivery: Delivery, outcome: Settlement, process?: Span) => void
  /** Stops the whole subscription; the delivery stays unsettled. */
  readonly stop: (error: StoppedError) => void
  /** Aborted when the subscription has no grace left. */
  readonly stopped: AbortSignal
}

export const DEFAULT_ATTEMPTS = 5
/** What a sender that waits for its answer is asked to wait where nothing else says it, milliseconds. */
export const DEFAULT_RETRY_AFTER_MS = 1000

export function backoffOf({ retry }: ConsumeOptions): Backoff {
  return { minMs: retry?.minMs ?? 200, maxMs: retry?.maxMs ?? 30_000 }
}

/** The outcome that giving up will have, for the span. */
export function outcomeOfGivingUp({ transport, options }: ConsumeSetting): 'release' | 'reject' {
  const { answersSender } = transport.features
  return options.deadLetter === undefined && options.onExhausted !== 'drop' && !answersSender
    ? 'release'
    : 'reject'
}

/**
 * Ends a delivery for good: answers its sender, publishes its dead letter, drops it or stops the subscription, as the
 * options say. Null when that is done; else milliseconds after which it is to be called again, because the dead letter
 * could not be published: `tries` counts how often it will have been.
 */
export async function giveUp(
  setting: ConsumeSetting,
  letter: GivenUp,
  tries: number,
): Promise<number | null> {
  const { transport, options, settle, stop } = setting
  const { answersSender } = transport.features
  const { delivery, reason, attempts } = letter
  const { span } = letter.failed
  const position = positionText(delivery.position)
  const facts = { position, attempt: attempts }

  // What a waiting sender can mend is answered to it; only what is nobody's to mend is kept.
  if (answersSender && (isSendersFault(reason) || options.deadLetter === undefined)) {
    options.onProblem?.({ kind: 'rejected', error: reason, ...facts })
    settle(delivery, { outcome: 'reject', reason, deadLettered: false }, span)
    return null
  }
  if (options.deadLetter === undefined) {
    if (options.onExhausted === 'drop') {
      options.onProblem?.({ kind: 'dropped', error: reason, ...facts })
      settle(delivery, { outcome: 'reject', reason, deadLettered: false }, span)
    } else {
      stop(new StoppedError(position, reason))
    }
    return null
  }
  const result = await publishDeadLetter(options.deadLetter, letter)
  if (result.ok) {
    options.onProblem?.({ kind: 'dead-lettered', error: reason, ...facts })
    settle(delivery, { outcome: 'reject', reason, deadLettered: true }, span)
    return null
  }
  if (answersSender) {
    settle(delivery, { outcome: 'release', delayMs: DEFAULT_RETRY_AFTER_MS }, span)
    return null
  }
  if (!(result.error instanceof UnavailableError)) {
    // A dead letter that can never be published keeps its delivery: losing it in silence is the one thing not allowed.
    stop(new StoppedError(position, result.error))
    return null
  }
  const retryMs = backoffMs(tries, backoffOf(options))
  options.onProblem?.({ kind: 'retry', error: result.error, retryMs, ...facts })
  return retryMs
}

function isSendersFault(error: Error): boolean {
  return (
    error instanceof InvalidEventError ||
    error instanceof UnsupportedContentTypeError ||
    error instanceof TooLargeError
  )
}
