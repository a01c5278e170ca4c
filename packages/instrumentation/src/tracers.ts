import { ProxyTracerProvider, type Tracer, type TracerProvider, trace } from '@opentelemetry/api'

/**
 * Whether an SDK is registered. While there is none, the API gives a provider of its own with nothing behind it; what another
 * copy of the API has registered is of a class of that copy.
 */
export function hasSdk(): boolean {
  const provider = trace.getTracerProvider()
  if (!(provider instanceof ProxyTracerProvider)) return true
  return provider.getDelegateTracer('@throughline/instrumentation') !== undefined
}

/**
 * Tracers of whatever SDK is registered when a span is started. Those that the API itself gives follow an SDK only where it
 * comes from the same copy of the API, and its `import` and its `require` are two.
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
      startSpan: (name, options, context) => found().startSpan(name, options, context),
      // The overloads of one method, which no single call satisfies.
      startActiveSpan: ((...args: Parameters<Tracer['startActiveSpan']>) =>
        found().startActiveSpan(...args)) as Tracer['startActiveSpan'],
    }
  },
}
