import { setTimeout as pause } from 'node:timers/promises'
import { fetchJourney } from '@throughline/cli/client'
import { type Journey, type JourneyJson, toJourneyJson } from '@throughline/explorer'

/** A hop that a journey has to have. */
export interface ExpectedHop {
  readonly transport: string
  readonly title: string
  readonly from: string
  readonly to: string
  /** How often its consumer has to have tried. Default: once, or more. */
  readonly attempts?: number
}

/** What a journey has to be. */
export interface Expectation {
  readonly hops: readonly ExpectedHop[]
  /** In how many traces; a replay and a batch have one of their own. */
  readonly traces: number
}

/** The way of every reading that the station posts. */
export const readingJourney: Expectation = {
  traces: 1,
  hops: [
    { transport: 'http', title: 'HTTP', from: 'station', to: 'webhook' },
    { transport: 'kafka', title: 'Kafka', from: 'webhook', to: 'forwarder' },
    { transport: 'mqtt', title: 'MQTT', from: 'forwarder', to: 'device' },
    { transport: 'http', title: 'HTTP', from: 'device', to: 'echo' },
  ],
}

/**
 * What keeps a journey from being the expected one: each hop of which an end was not seen, in the order of the way, and
 * traces too many or too few. Empty when it is whole.
 */
export function missingFrom(journey: Journey | null, { hops, traces }: Expectation): string[] {
  if (journey === null) return hops.map(nameOf)
  const missing = hops.filter(
    ({ transport, from, to, attempts = 1 }) =>
      !journey.hops.some(
        (hop) =>
          hop.transport === transport &&
          hop.from === from &&
          hop.to === to &&
          hop.attempts >= attempts &&
          (hop.kind === 'call' || (hop.send !== null && hop.process !== null)),
      ),
  )
  const absent = [...new Set(missing.flatMap(({ from, to }) => [from, to]))].filter(
    (service) => !journey.services.includes(service),
  )
  const because = absent.length > 0 ? ` (no span of ${absent.join(', ')} was received)` : ''
  const seen = journey.traceIds.length
  return [
    ...missing.map((hop) => `${nameOf(hop)}${because}`),
    ...(seen === traces ? [] : [`${traces === 1 ? 'one trace' : `${traces} traces`}: there are ${seen}`]),
  ]
}

/**
 * Asks the explorer for the event's journey until nothing is missing from it. After `waitMs` resolves to what is there;
 * null where the explorer knows nothing of the event.
 */
export async function awaitJourney(
  explorerUrl: string,
  eventId: string,
  expected: Expectation,
  waitMs: number,
  signal: AbortSignal,
): Promise<Journey | null> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const journey = await fetchJourney({ url: explorerUrl }, eventId)
    if (missingFrom(journey, expected).length === 0 || performance.now() > deadline) return journey
    await pause(100, undefined, { signal })
  }
}

/** What `--json` prints: the hops that are missing by name, then what the explorer itself misses. */
export function demoJson(eventId: string, journey: Journey | null, expected: Expectation): JourneyJson {
  const missing = missingFrom(journey, expected)
  if (journey === null) return { eventId, traceId: '', hops: [], spans: 0, services: [], missing }
  const json = toJourneyJson(journey)
  return { ...json, missing: [...missing, ...json.missing] }
}

const nameOf = ({ title, from, to, attempts }: ExpectedHop): string =>
  `${title} ${from} → ${to}${attempts === undefined ? '' : ` in ${attempts} attempts`}`
