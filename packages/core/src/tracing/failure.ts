import { type Exception, type Span, SpanStatusCode } from '@opentelemetry/api'
import { errorMessage, errorType } from '../errors.ts'

const MAX_DESCRIPTION = 256

/** Marks a span as failed: status with a short description, `error.type`, exception event at that Unix time. */
export function recordFailure(span: Span, error: unknown, atMs: number): void {
  if (!span.isRecording()) return
  span.setStatus({ code: SpanStatusCode.ERROR, message: described(errorMessage(error)) })
  span.setAttribute('error.type', errorType(error))
  span.recordException(error instanceof Error ? exceptionOf(error) : withoutUser(errorMessage(error)), atMs)
}

/** Drivers write the URL that they could not reach into their errors, user and password with it. */
function withoutUser(text: string): string {
  return text.replaceAll(/:\/\/[^\s/]*@/g, '://')
}

function described(text: string): string {
  return withoutUser(text).slice(0, MAX_DESCRIPTION)
}

function exceptionOf(error: Error): Exception {
  const { name, message, stack = '' } = error
  if (!message.includes('://') && !stack.includes('://')) return error
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { name, message: withoutUser(message), stack: withoutUser(stack), ...code }
}

/** Marks the span of a batch as failed where any of its messages was; `errors` has undefined for those that were not. */
export function recordFailures(span: Span, errors: readonly (Error | undefined)[], atMs: number): void {
  const failed = errors.filter((error) => error !== undefined)
  const [first] = failed
  if (first === undefined || !span.isRecording()) return
  recordFailure(span, first, atMs)
  span.setAttribute('throughline.batch.failed_count', failed.length)
  const message = `${failed.length} of ${errors.length} messages: ${errorMessage(first)}`
  span.setStatus({ code: SpanStatusCode.ERROR, message: described(message) })
}
