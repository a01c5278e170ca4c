import { createRequire } from 'node:module'
import {
  DiagLogLevel,
  metrics,
  ProxyTracerProvider,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { Flushes } from './end.ts'
import { warnOnce } from './guard.ts'
import { keepingLogger, logLevelOf, withLogger } from './log.ts'

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
 * Tracers of whatever SDK is registered when the first span is started. Those that the API itself gives follow an SDK only
 * where it comes from the same copy of the API, and its `import` and its `require` are two.
 */
export const registeredTracers: TracerProvider = {
  getTracer(name, version, options) {
    let tracer: Tracer | undefined
    const found = (): Tracer => {
      if (tracer !== undefined) return tracer
      const now = trace.getTracerProvider().getTracer(name, version, options)
      if (hasSdk()) tracer = now
      return now
    }
    return {
      startSpan: (...args) => found().startSpan(...args),
      // The overloads of one method, which no single call satisfies.
      startActiveSpan: ((...args: Parameters<Tracer['startActiveSpan']>) =>
        found().startActiveSpan(...args)) as Tracer['startActiveSpan'],
    }
  },
}

/**
 * Sets OpenTelemetry's SDK up from the standard OTEL_ variables: spans and metrics over OTLP, unless they say otherwise.
 * What is wrong with them is warned of.
 */
export function setUpSdk(): void {
  const { NodeSDK } = createRequire(import.meta.url)(
    '@opentelemetry/sdk-node',
  ) as typeof import('@opentelemetry/sdk-node')
  const wrong: string[] = []
  const start = () => new NodeSDK().start()
  // With a level it sets a logger itself, which says more.
  if (logLevelOf(process.env.OTEL_LOG_LEVEL) === undefined) {
    withLogger(keepingLogger(wrong), DiagLogLevel.WARN, start)
  } else {
    start()
  }
  for (const text of wrong) warnOnce(`setting OpenTelemetry's SDK up: ${text}`)
}

/** Sends what the registered SDK has not sent yet. */
export const flushes: Flushes = {
  spans: () => flush(trace.getTracerProvider()),
  metrics: () => flush(metrics.getMeterProvider()),
}

async function flush(provider: object): Promise<void> {
  const inner: unknown =
    'getDelegate' in provider && typeof provider.getDelegate === 'function'
      ? provider.getDelegate()
      : provider
  if (typeof inner !== 'object' || inner === null || !('forceFlush' in inner)) return
  if (typeof inner.forceFlush === 'function') await inner.forceFlush()
}
