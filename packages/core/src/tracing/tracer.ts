import { type Tracer, trace } from '@opentelemetry/api'

/** Named once; a proxy until the application sets its SDK up, so it may be used before. */
export const tracer: Tracer = trace.getTracer('@throughline/core')
