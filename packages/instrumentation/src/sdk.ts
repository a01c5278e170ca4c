import { createRequire } from 'node:module'
import { DiagLogLevel, metrics, trace } from '@opentelemetry/api'
import type { Flushes } from './end.ts'
import { warnOnce } from './guard.ts'
import { keepingLogger, logLevelOf, withLogger } from './log.ts'

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
  for (const text of wrong) {
    // An exporter that is switched off is meant, and said as a warning all the same.
    if (!text.includes('contains "none"')) warnOnce(`setting OpenTelemetry's SDK up: ${text}`)
  }
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
