import { type Span, SpanStatusCode } from '@opentelemetry/api'
import { errorMessage, errorType } from '../errors.ts'

const MAX_DESCRIPTION = 256

/** Marks a span as failed: status with a short description, `error.type`, exception event at that Unix time. */
export function recordFailure(span: Span, error: unknown, atMs: number): void {
  if (!span.isRecording()) return
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorMessage(error).slice(0, MAX_DESCRIPTION) })
  span.setAttribute('error.type', errorType(error))
  span.recordException(error instanceof Error ? error : errorMessage(error), atMs)
}

/** Marks the span of a batch as failed where any of its messages was; `errors` has undefined for those that were not. */
export function recordFailures(span: Span, errors: readonly (Error | undefined)[], atMs: number): void {
  const failed = errors.filter((error) => error !== undefined)
  const [first] = failed
  if (first === undefined || !span.isRecording()) return
  recordFailure(span, first, atMs)
  span.setAttribute('throughline.batch.failed_count', failed.length)
  const message = `${failed.length} of ${errors.length} messages: ${errorMessage(first)}`
  span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, MAX_DESCRIPTION) })
}
