import type { Journey, JourneySummary } from '../api/schema.ts'

/** A journey as a row of the list. */
export function summaryOf(journey: Journey): JourneySummary {
  const stations = new Map(
    journey.hops.map(({ transport, destination }) => [`${transport} ${destination}`, transport]),
  )
  return {
    id: journey.id,
    event: journey.event,
    traceId: journey.traceIds[0] ?? '',
    startUnixNanos: journey.startUnixNanos,
    durationMs: journey.totals.durationMs,
    services: journey.services,
    transports: [...stations.values()],
    spanCount: journey.spans.length,
    errorCount: journey.spans.filter(({ status }) => status === 'ERROR').length,
    findingCount: journey.findings.length,
  }
}
