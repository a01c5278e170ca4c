import {
  type Context,
  INVALID_TRACEID,
  ProxyTracerProvider,
  type Span,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'

/**
 * Whether an SDK is registered. While there is none, the API gives a provider of its own with nothing behind it; what another
 * copy of the API has registered is of a class of that copy.
 */
export function hasSdk(): boolean {
  const provider = trace.getTracerProvider()
  if (!(provider instanceof ProxyTracerProvider)) return true
  return provider.getDelegateTracer('@throughline/core') !== undefined
}

/**
 * Tracers of whatever SDK is registered when a span is started. Those that the API itself gives follow an SDK only where it
 * comes from the same copy of the API, and its `import` and its `require` are two: a service that imports the library and
 * then requires its SDK would never record.
 */
export const registeredTracers: TracerProvider = {
  getTracer(name, version, options) {
    let tracer: Tracer | undefined
    function found(): Tracer {
      if (tracer !== undefined) return tracer
      const now = trace.getTracerProvider().getTracer(name, version, options)
      if (hasSdk()) tracer = now
      return now
    }
    return {
      startSpan: (spanName, spanOptions, context) => found().startSpan(spanName, spanOptions, context),
      // The overloads of one method, which no single call satisfies.
      startActiveSpan: ((...args: Parameters<Tracer['startActiveSpan']>) =>
        found().startActiveSpan(...args)) as Tracer['startActiveSpan'],
    }
  },
}

/** Named once; it may be used before the application sets its SDK up. */
export const tracer: Tracer = registeredTracers.getTracer('@throughline/core')

/** The context with the span in it; as it is where the span is none, for want of an SDK or because tracing is suppressed. */
export function withSpan(context: Context, span: Span): Context {
  return span.spanContext().traceId === INVALID_TRACEID ? context : trace.setSpan(context, span)
}
