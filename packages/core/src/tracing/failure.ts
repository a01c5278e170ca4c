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
