import { context as contexts } from '@opentelemetry/api'
import { ThroughlineError } from '../errors.ts'
import type { ProcessSpan } from '../tracing/process.ts'
import type { ConsumeOptions } from './options.ts'

export class AttemptTimeoutError extends ThroughlineError {
  constructor(timeoutMs: number) {
    super('TL_ATTEMPT_TIMEOUT', `the handler did not return within ${timeoutMs} ms`)
  }
}

/** The signal of one attempt. Joining several costs more than all else here, and most handlers never ask for it. */
export type LazySignal = () => AbortSignal

/**
 * Runs a handler once inside its process span and ends the span when the handler has returned or thrown. Gives back
 * what it threw, null when it returned. `outcomeOf` names the settlement that will follow, for the span; the settlement
 * itself is the caller's. The handler's signal is aborted with any of `signals` and when its time is up.
 */
export async function runAttempt(
  process: ProcessSpan,
  run: (signal: LazySignal) => Promise<unknown> | unknown,
  outcomeOf: (error: Error | null) => 'accept' | 'release' | 'reject',
  signals: readonly [AbortSignal, ...AbortSignal[]],
  { attemptTimeoutMs }: Pick<ConsumeOptions, 'attemptTimeoutMs'>,
): Promise<Error | null> {
  const limit = attemptTimeoutMs === undefined ? null : timeLimit(attemptTimeoutMs)
  let failure: Error | null = null
  try {
    const signal = lazily(limit === null ? signals : [...signals, limit.signal])
    // Called inside the context, not awaited there: the context must not outlive the handler.
    const result = contexts.with(process.context, run, undefined, signal)
    await (limit === null ? result : Promise.race([result, limit.expired]))
  } catch (thrown) {
    failure = thrown instanceof Error ? thrown : new Error(String(thrown))
  } finally {
    limit?.clear()
  }
  process.end(failure, outcomeOf(failure))
  return failure
}

function lazily(signals: readonly [AbortSignal, ...AbortSignal[]]): LazySignal {
  let joined: AbortSignal | undefined
  return () => {
    joined ??= signals.length === 1 ? signals[0] : AbortSignal.any([...signals])
    return joined
  }
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
