import { setTimeout as pause } from 'node:timers/promises'
import { fetchJourney } from '@throughline/cli/client'
import { type Journey, type JourneyJson, toJourneyJson } from '@throughline/explorer'
import type { ServiceName } from './options.ts'

interface Hop {
  readonly transport: string
  readonly title: string
  readonly from: ServiceName
  readonly to: ServiceName
}

/** The way of every reading that the station posts. */
export const expectedHops: readonly Hop[] = [
  { transport: 'http', title: 'HTTP', from: 'station', to: 'webhook' },
  { transport: 'kafka', title: 'Kafka', from: 'webhook', to: 'forwarder' },
  { transport: 'mqtt', title: 'MQTT', from: 'forwarder', to: 'device' },
  { transport: 'http', title: 'HTTP', from: 'device', to: 'echo' },
]

/**
 * What keeps a journey from being the expected one: each hop of which an end was not seen, in the order of the way, and
 * a second trace. Empty when it is whole.
 */
export function missingFrom(journey: Journey | null): string[] {
  if (journey === null) return expectedHops.map(nameOf)
  const missing = expectedHops.filter(
    ({ transport, from, to }) =>
      !journey.hops.some(
        (hop) =>
          hop.transport === transport &&
          hop.from === from &&
          hop.to === to &&
          hop.send !== null &&
          hop.process !== null,
      ),
  )
  const absent = [...new Set(missing.flatMap(({ from, to }) => [from, to]))].filter(
    (service) => !journey.services.includes(service),
  )
  const because = absent.length > 0 ? ` (no span of ${absent.join(', ')} was received)` : ''
  return [
    ...missing.map((hop) => `${nameOf(hop)}${because}`),
    ...(journey.traceIds.length > 1 ? [`one trace: there are ${journey.traceIds.length}`] : []),
  ]
}

/**
 * Asks the explorer for the event's journey until nothing is missing from it. After `waitMs` resolves to what is there;
 * null where the explorer knows nothing of the event.
 */
export async function awaitJourney(
  explorerUrl: string,
  eventId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Journey | null> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const journey = await fetchJourney({ url: explorerUrl }, eventId)
    if (missingFrom(journey).length === 0 || performance.now() > deadline) return journey
    await pause(100, undefined, { signal })
  }
}

/** What `--json` prints: the hops that are missing by name, then what the explorer itself misses. */
export function demoJson(eventId: string, journey: Journey | null): JourneyJson {
  const missing = missingFrom(journey)
  if (journey === null) return { eventId, traceId: '', hops: [], spans: 0, services: [], missing }
  const json = toJourneyJson(journey)
  return { ...json, missing: [...missing, ...json.missing] }
}

const nameOf = ({ title, from, to }: Hop): string => `${title} ${from} → ${to}`
