import { type MeterProvider, metrics, type Tracer } from '@opentelemetry/api'
import { tracer } from './tracer.ts'

/** Where spans and counts go. */
export interface Scope {
  readonly tracer: Tracer
  /** Asked for again and again: an application may set its SDK up at any time. */
  meterProvider(): MeterProvider
}

/** What the application has registered globally, now or later. */
export const APPLICATION: Scope = { tracer, meterProvider: () => metrics.getMeterProvider() }
