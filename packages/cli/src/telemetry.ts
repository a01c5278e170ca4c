import { context, type DiagLogger, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  CompositePropagator,
  getBooleanFromEnv,
  getNumberFromEnv,
  getStringFromEnv,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { samplerFromEnv } from './sampler.ts'

export interface Telemetry {
  /** Sends what is left and ends. Never throws: telemetry does not decide how a command ends. */
  shutdown(): Promise<void>
}

/**
 * Exports spans as the environment says (`OTEL_…`, OpenTelemetry's SDK environment variables), by OTLP over HTTP with
 * protobuf. Where no endpoint is named, or `OTEL_SDK_DISABLED` is true, nothing is set up: contexts then pass through
 * as they came.
 *
 * @param otlp An endpoint that goes before the environment's: `http://127.0.0.1:4318`.
 */
export function startTelemetry(serviceName: string, otlp?: string): Telemetry | null {
  const endpoint =
    otlp ??
    getStringFromEnv('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ??
    getStringFromEnv('OTEL_EXPORTER_OTLP_ENDPOINT')
  if (endpoint === undefined || getBooleanFromEnv('OTEL_SDK_DISABLED')) return null
  if (getStringFromEnv('OTEL_TRACES_EXPORTER') === 'none') return null
  diag.setLogger(stderrLogger, { logLevel: logLevel(), suppressOverrideMessage: true })
  warnOfProtocol()

  const scheduledDelayMillis = getNumberFromEnv('OTEL_BSP_SCHEDULE_DELAY')
  const maxQueueSize = getNumberFromEnv('OTEL_BSP_MAX_QUEUE_SIZE')
  const maxExportBatchSize = getNumberFromEnv('OTEL_BSP_MAX_EXPORT_BATCH_SIZE')
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(
      otlp === undefined ? {} : { url: `${otlp.replace(/\/$/, '')}/v1/traces` },
    ),
    ...(scheduledDelayMillis === undefined ? {} : { scheduledDelayMillis }),
    ...(maxQueueSize === undefined ? {} : { maxQueueSize }),
    ...(maxExportBatchSize === undefined ? {} : { maxExportBatchSize }),
  })
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': serviceName }))
    .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }))
  const sampler = samplerFromEnv()
  const provider = new TracerProvider({
    resource,
    spanProcessors: [processor],
    ...(sampler === undefined ? {} : { sampler }),
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  )
  trace.setGlobalTracerProvider(provider)
  return {
    shutdown: () =>
      provider.shutdown().catch((error: unknown) => {
        diag.warn(`the last spans could not be exported: ${error instanceof Error ? error.message : error}`)
      }),
  }
}

function warnOfProtocol(): void {
  const protocol =
    getStringFromEnv('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? getStringFromEnv('OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol === undefined || protocol === 'http/protobuf') return
  diag.warn(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is not supported here; spans go out as http/protobuf`)
}

function logLevel(): DiagLogLevel {
  const levels: Readonly<Record<string, DiagLogLevel>> = {
    none: DiagLogLevel.NONE,
    error: DiagLogLevel.ERROR,
    info: DiagLogLevel.INFO,
    debug: DiagLogLevel.DEBUG,
    verbose: DiagLogLevel.VERBOSE,
    all: DiagLogLevel.ALL,
  }
  return levels[getStringFromEnv('OTEL_LOG_LEVEL')?.toLowerCase() ?? ''] ?? DiagLogLevel.WARN
}

/** One line a message: the exporter hands whole stacks over as JSON. */
const line = (message: string) => {
  const [, inner] = /^\{.*?"message":"((?:[^"\\]|\\.)*)"/s.exec(message) ?? []
  process.stderr.write(`telemetry: ${(inner ?? message).split('\n', 1)[0]}\n`)
}
const stderrLogger: DiagLogger = { error: line, warn: line, info: line, debug: line, verbose: line }
