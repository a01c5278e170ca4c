import type { Journey, JourneyHop } from '../api/schema.ts'

/** A journey for scripts: what `throughline journey --json` and `throughline demo --json` print. */
export interface JourneyJson {
  readonly eventId: string | null
  readonly traceId: string
  readonly hops: readonly {
    readonly transport: string
    readonly destination: string
    /** null: the publisher is unknown. */
    readonly from: string | null
    /** null: nobody was seen receiving it. */
    readonly to: string | null
    /** Milliseconds; null where one end is not known. */
    readonly queueMs: number | null
  }[]
  readonly spans: number
  readonly services: readonly string[]
  /** What is missing and at which hop, in words; empty when the journey is whole. */
  readonly missing: readonly string[]
}

/** A journey as `throughline journey --json` prints it. */
export function toJourneyJson(journey: Journey): JourneyJson {
  return {
    eventId: journey.event?.id ?? null,
    traceId: journey.traceIds[0] ?? '',
    hops: journey.hops.map(({ transport, destination, from, to, queueMs }) => ({
      transport,
      destination,
      from,
      to,
      queueMs,
    })),
    spans: journey.spans.length,
    services: journey.services,
    missing: missingOf(journey),
  }
}

const missingCodes: ReadonlySet<string> = new Set([
  'no-context',
  'invalid-context',
  'span-not-received',
  'not-exported-yet',
  'sampled-out',
  'older-than-retention',
])

/** What keeps a journey from being whole: spans that are not here, messages that nobody received, what was cut. */
export function missingOf(journey: Journey): string[] {
  const nameOf = (hop: JourneyHop) => `hop ${hop.index + 1} (${hop.transport} ${hop.destination})`
  const missing = journey.findings
    // That an event was created in a trace of somebody else's takes nothing from its journey.
    .filter(
      ({ code, severity }) => missingCodes.has(code) && (severity !== 'info' || code === 'not-exported-yet'),
    )
    .map(({ hop, title }) => {
      const at = hop === null ? undefined : journey.hops[hop]
      return at ? `${nameOf(at)}: ${title}` : title
    })
  for (const hop of journey.hops) {
    if (hop.kind === 'message' && hop.to === null)
      missing.push(`${nameOf(hop)}: sent by ${hop.from}, received by nobody that was seen`)
  }
  if (journey.truncated)
    missing.push(
      `${journey.truncated.spans} or more spans beyond the ${journey.truncated.budget} that are shown`,
    )
  return missing
}
