import { context as contexts, type SpanContext } from '@opentelemetry/api'
import { ThroughlineError } from '../errors.ts'
import type { ProcessSpan, ProcessStart } from '../tracing/process.ts'
import type { ConsumeOptions, Handling } from './options.ts'

/** How one attempt ended. `span` is what the next attempt and a dead letter link to. */
export type AttemptEnd = { readonly span: ProcessSpan; readonly spanContext: SpanContext } & (
  | { readonly ok: true }
  | { readonly ok: false; readonly error: Error }
)

export class AttemptTimeoutError extends ThroughlineError {
  constructor(timeoutMs: number) {
    super('TL_ATTEMPT_TIMEOUT', `the handler did not return within ${timeoutMs} ms`)
  }
}

/**
 * Runs a handler once inside its process span and ends the span when the handler has returned or thrown.
 * `outcomeOf` names the settlement that will follow, for the span; the settlement itself is the caller's.
 */
export async function runAttempt(
  start: ProcessStart,
  startProcess: (start: ProcessStart) => ProcessSpan,
  run: (handling: Handling) => Promise<unknown> | unknown,
  outcomeOf: (error: Error | null) => 'accept' | 'release' | 'reject',
  stopped: AbortSignal,
  { attemptTimeoutMs }: Pick<ConsumeOptions, 'attemptTimeoutMs'>,
): Promise<AttemptEnd> {
  const { delivery, attempt } = start
  const process = startProcess(start)
  const { span, context } = process
  const signals = delivery.signal === undefined ? [stopped] : [stopped, delivery.signal]
  const limit = attemptTimeoutMs === undefined ? null : timeLimit(attemptTimeoutMs)
  const signal =
    limit === null && signals.length === 1
      ? stopped
      : AbortSignal.any(limit === null ? signals : [...signals, limit.signal])
  const handling: Handling = { span, context, attempt, message: delivery.message, delivery, signal }
  let failure: Error | null = null
  try {
    // Called inside the context, not awaited there: the context must not outlive the handler.
    const result = contexts.with(context, run, undefined, handling)
    await (limit === null ? result : Promise.race([result, limit.expired]))
  } catch (thrown) {
    failure = thrown instanceof Error ? thrown : new Error(String(thrown))
  } finally {
    limit?.clear()
  }
  process.end(failure, outcomeOf(failure))
  const end = { span: process, spanContext: span.spanContext() }
  return failure === null ? { ...end, ok: true } : { ...end, ok: false, error: failure }
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
