import type { Journey, JourneyList, JourneySummary } from '../api/schema.ts'
import type { JourneyKey, SpanStore } from '../store/store.ts'
import { buildJourney } from './build.ts'
import type { Start } from './collect.ts'
import { summaryOf } from './summary.ts'

/** Spans that are looked at for one row of a list; a larger journey is listed by its beginning. */
const rowBudget = 200
/** Rows of the store that are looked at for one page, when most of them are parts of other journeys. */
const maxRowsPerPage = 1_000
/** A page ends early, with the cursor to go on from, rather than keep everybody else waiting. */
const maxPageMs = 2_000
/** Events of one trace that are shown as journeys of their own. */
const maxEventsPerTrace = 20

export const startOfKey = (key: JourneyKey): Start =>
  key.kind === 'event' ? { kind: 'event', event: key.event } : { kind: 'trace', traceId: key.traceId }

/**
 * The list of journeys, newest first: one for each event, and one for each trace in which no span names an
 * event, unless another trace leads to it.
 */
export function recentJourneys(store: SpanStore, before: string | null, limit: number): JourneyList {
  const journeys: JourneySummary[] = []
  let cursor = before
  const startedMs = performance.now()
  for (let looked = 0; looked < maxRowsPerPage; ) {
    const rows = store.recent(cursor, limit)
    for (const row of rows) {
      const journey = journeyOfKey(store, row.key)
      if (journey) journeys.push(summaryOf(journey))
      const isLate = performance.now() - startedMs > maxPageMs
      if (journeys.length === limit || isLate) return { journeys, next: row.cursor }
    }
    looked += rows.length
    cursor = rows.at(-1)?.cursor ?? null
    if (rows.length < limit) return { journeys, next: null }
  }
  return { journeys, next: cursor }
}

/** The journey of a row, or null where the row is part of a journey that has its own. */
export function journeyOfKey(store: SpanStore, key: JourneyKey): Journey | null {
  if (key.kind === 'trace' && store.trace(key.traceId)?.namesEvent) return null
  const journey = buildJourney(store, startOfKey(key), { budget: rowBudget })
  if (!journey) return null
  if (key.kind === 'event') {
    // Spans that leave out the source belong to the event that others name with it.
    return key.event.source === null && journey.event?.source != null ? null : journey
  }
  return journey.event === null && journey.traceIds[0] === key.traceId ? journey : null
}

/**
 * The journeys that a trace is part of: those of its events, else of the traces that led to it.
 * @returns keys that `journeyOfKey` has a journey for
 */
export function keysOfTrace(store: SpanStore, traceId: string): JourneyKey[] {
  const journey = buildJourney(store, { kind: 'trace', traceId }, { budget: rowBudget })
  if (!journey) return []
  const keys = new Map<string, JourneyKey>()
  for (const { attributes } of journey.spans) {
    const id = attributes['cloudevents.event_id'] ?? attributes['cloudevents.id']
    const source = attributes['cloudevents.event_source'] ?? attributes['cloudevents.source'] ?? null
    if (typeof id !== 'string' || keys.size >= maxEventsPerTrace) continue
    const event = { id, source: typeof source === 'string' ? source : null }
    keys.set(`${event.source} ${id}`, { kind: 'event', event })
  }
  if (keys.size > 0) return [...keys.values()]
  const [first] = journey.traceIds
  return first === undefined ? [] : [{ kind: 'trace', traceId: first }]
}
