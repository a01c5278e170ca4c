import type { Journey } from '../../src/api/schema.ts'

/** Span ids without the zeros in front, sorted. */
export const idsOf = (journey: Journey) => journey.spans.map((span) => span.spanId.replace(/^0+/, '')).sort()

/** `transport destination: from → to`, in the journey's order. */
export const hopsOf = (journey: Journey) =>
  journey.hops.map(({ transport, destination, from, to }) => `${transport} ${destination}: ${from} → ${to}`)
