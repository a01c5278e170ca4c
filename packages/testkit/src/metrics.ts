import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api'
import { DataPointType, MetricReader, MeterProvider as SdkMeterProvider } from '@opentelemetry/sdk-metrics'

/** One series of a metric, summed up since the recorder's start. */
export interface MetricSeries {
  readonly name: string
  readonly unit: string
  readonly attributes: Attributes
  /** A counter's value, or how many values a histogram has. */
  readonly count: number
  /** Sum of a histogram's values, in its unit; a counter's value. */
  readonly sum: number
  /** Upper bounds of a histogram's buckets; empty for a counter. */
  readonly boundaries: readonly number[]
}

/** The metrics that were counted since `recordMetrics`. */
export interface MetricRecorder {
  readonly meterProvider: MeterProvider
  /** All series so far, those of one metric where a name is given. */
  series(name?: string): Promise<readonly MetricSeries[]>
  /** Ends it, and takes the global meter provider away again. */
  stop(): Promise<void>
}

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/**
 * Records metrics through the real SDK, as the process's global meter provider unless `global` is false. Throws when there is
 * one already.
 */
export function recordMetrics({ global = true }: { readonly global?: boolean } = {}): MetricRecorder {
  const reader = new ManualReader()
  const provider = new SdkMeterProvider({ readers: [reader] })
  if (global && !metrics.setGlobalMeterProvider(provider)) {
    throw new Error(
      'a global meter provider is already set; record metrics before anything else registers an SDK',
    )
  }
  return {
    meterProvider: provider,
    async series(wanted) {
      const { resourceMetrics } = await reader.collect()
      const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
      return all.flatMap((metric): MetricSeries[] => {
        const { name, unit } = metric.descriptor
        if (wanted !== undefined && name !== wanted) return []
        if (metric.dataPointType === DataPointType.HISTOGRAM) {
          return metric.dataPoints.map(({ attributes, value }) => ({
            name,
            unit,
            attributes,
            count: value.count,
            sum: value.sum ?? 0,
            boundaries: value.buckets.boundaries,
          }))
        }
        if (metric.dataPointType !== DataPointType.SUM) return []
        return metric.dataPoints.map(({ attributes, value }) => ({
          name,
          unit,
          attributes,
          count: value,
          sum: value,
          boundaries: [],
        }))
      })
    },
    async stop() {
      if (global) metrics.disable()
      await provider.shutdown()
    },
  }
}
