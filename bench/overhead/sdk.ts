import { setImmediate as turn } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  CompositePropagator,
  ExportResultCode,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'

/** Every span of a run waits in memory at most: the processor drops without a word what is beyond its queue. */
const MAX_QUEUE = 1_000_000

/** OpenTelemetry as an application sets it up: W3C propagators, context manager, batches by OTLP to `endpoint`. */
export function startSdk(endpoint: string, sampled: boolean) {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` })
  let exported = 0
  const processor = new BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        exporter.export(spans, (result) => {
          if (result.code === ExportResultCode.SUCCESS) exported += spans.length
          done(result)
        })
      },
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: MAX_QUEUE,
  })
  const provider = new TracerProvider({
    spanProcessors: [processor],
    sampler: new ParentBasedSampler({ root: sampled ? new AlwaysOnSampler() : new AlwaysOffSampler() }),
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  )
  trace.setGlobalTracerProvider(provider)
  return {
    /**
     * Exports what waits and says how many spans the receiver has taken by now. Several times where it is to be so many:
     * the last handlers may have yet to return, and an export that was on its way is not waited for by the SDK.
     */
    async flush(expected = 0): Promise<number> {
      const deadlineMs = performance.now() + 10_000
      do {
        await turn()
        await provider.forceFlush()
      } while (exported < expected && performance.now() < deadlineMs)
      return exported
    },
    shutdown: () => provider.shutdown(),
  }
}
