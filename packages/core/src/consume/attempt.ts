import { context as contexts } from '@opentelemetry/api'
import { ThroughlineError } from '../errors.ts'
import type { ProcessSpan } from '../tracing/process.ts'
import type { ConsumeOptions } from './options.ts'

export class AttemptTimeoutError extends ThroughlineError {
  constructor(timeoutMs: number) {
    super('TL_ATTEMPT_TIMEOUT', `the handler did not return within ${timeoutMs} ms`)
  }
}

/** A value, or the promise of one: what is done at once costs no promise. */
export type Eventually<Value> = Promise<Value> | Value

/**
 * Runs a handler once inside its process span and ends the span when the handler has returned or thrown. Gives back
 * what it threw, null when it returned. `outcomeOf` names the settlement that will follow, for the span; the settlement
 * itself is the caller's. `run` gets the signal that is aborted when the attempt's time is up, where that is limited.
 */
export function runAttempt(
  process: ProcessSpan,
  run: (timeUp: AbortSignal | undefined) => unknown,
  outcomeOf: (error: Error | null) => 'accept' | 'release' | 'reject',
  { attemptTimeoutMs }: Pick<ConsumeOptions, 'attemptTimeoutMs'>,
): Eventually<Error | null> {
  const limit = attemptTimeoutMs === undefined ? null : timeLimit(attemptTimeoutMs)

  function ended(failure: Error | null): Error | null {
    limit?.clear()
    process.end(failure, outcomeOf(failure))
    return failure
  }

  try {
    // Called inside the context, not awaited there: the context must not outlive the handler.
    const result = contexts.with(process.context, run, undefined, limit?.signal)
    if (!isThenable(result)) return ended(null)
    const settled = limit === null ? result : Promise.race([result, limit.expired])
    return Promise.resolve(settled).then(
      () => ended(null),
      (thrown: unknown) => ended(asError(thrown)),
    )
  } catch (thrown) {
    return ended(asError(thrown))
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** One signal for several. Joining them costs more than all else that is done for a message. */
export function joinedSignal(signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined)
  const [first] = given
  return first !== undefined && given.length === 1 ? first : AbortSignal.any(given)
}

function timeLimit(timeoutMs: number) {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new AttemptTimeoutError(timeoutMs)
      controller.abort(error)
      reject(error)
    }, timeoutMs)
  })
  return { signal: controller.signal, expired, clear: () => clearTimeout(timer) }
}
