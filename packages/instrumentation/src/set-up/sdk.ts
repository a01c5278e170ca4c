import { createRequire } from 'node:module'
import { DiagLogLevel, metrics, trace } from '@opentelemetry/api'
import { warnOnce } from '../guard.ts'
import type { Flushes } from './end.ts'
import { keepingLogger, logLevelOf, withLogger } from './log.ts'

/**
 * Sets OpenTelemetry's SDK up from the standard OTEL_ variables: spans and metrics over OTLP, unless they say otherwise.
 * What is wrong with them is warned of.
 */
export function setUpSdk(): void {
  const { NodeSDK } = createRequire(import.meta.url)(
    '@opentelemetry/sdk-node',
  ) as typeof import('@opentelemetry/sdk-node')
  for (const name of ENDPOINTS) warnOfEndpoint(name)
  const wrong: string[] = []
  const start = () => new NodeSDK().start()
  // With a level it sets a logger itself, which says more.
  if (logLevelOf(process.env.OTEL_LOG_LEVEL) === undefined) {
    withLogger(keepingLogger(wrong), DiagLogLevel.WARN, start)
  } else {
    start()
  }
  for (const text of wrong) {
    if (!MEANT.some((each) => text.includes(each))) warnOnce(`setting OpenTelemetry's SDK up: ${text}`)
  }
}

/** An exporter that is switched off; the logger that is there while it starts. */
const MEANT = ['contains "none"', 'Current logger will ']

const ENDPOINTS = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
]

/** An exporter over HTTP sends nothing to it, and says so to a logger alone. What it is may have a password in it. */
function warnOfEndpoint(name: string): void {
  const endpoint = process.env[name]?.trim() ?? ''
  const protocols = [
    process.env.OTEL_EXPORTER_OTLP_PROTOCOL,
    process.env[name.replace('ENDPOINT', 'PROTOCOL')],
  ]
  if (endpoint === '' || /^https?:\/\//i.test(endpoint) || protocols.includes('grpc')) return
  warnOnce(`${name} does not begin with http:// or https://: nothing can be sent there`)
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
