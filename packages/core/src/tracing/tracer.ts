import { type Tracer, trace } from '@opentelemetry/api'

/** Named once; a proxy until the application sets its SDK up, so it may be used before. */
export const tracer: Tracer = trace.getTracer('@throughline/core')

/** Unix time in microseconds. Whole milliseconds from the wall clock would make most queue times zero. */
export function unixMicros(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000)
}
