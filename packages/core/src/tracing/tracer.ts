import { type Context, INVALID_TRACEID, type Span, type Tracer, trace } from '@opentelemetry/api'

/** Named once; a proxy until the application sets its SDK up, so it may be used before. */
export const tracer: Tracer = trace.getTracer('@throughline/core')

/** The context with the span in it; as it is where the span is none, for want of an SDK or because tracing is suppressed. */
export function withSpan(context: Context, span: Span): Context {
  return span.spanContext().traceId === INVALID_TRACEID ? context : trace.setSpan(context, span)
}
