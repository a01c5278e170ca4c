import type { Journey, JourneyList, JourneySummary } from '../api/schema.ts'
import { textOf } from '../otlp/value.ts'
import type { SpanStore, TermQuery } from '../store/store.ts'
import { buildJourney } from './build.ts'
import type { Start } from './collect.ts'
import { journeyOfKey, keysOfTrace } from './recent.ts'
import { summaryOf } from './summary.ts'

/** Spans that a search for free text goes through, newest first. */
const maxScannedSpans = 20_000
/** A search answers with what it has found by then, rather than keep everybody else waiting. */
const maxSearchMs = 2_000

const isTraceId = (text: string): boolean => /^[0-9a-f]{32}$/i.test(text)
const isSpanId = (text: string): boolean => /^[0-9a-f]{16}$/i.test(text)

/**
 * The journey of an event id, a trace id, a span id, or of whatever else an index knows by this value (subject,
 * `topic[partition]@offset`, `*.id` attributes): then the newest one.
 * @param source the event's source, where one id is used under several
 */
export function findJourney(store: SpanStore, id: string, source: string | null = null): Journey | null {
  const starts: Start[] = [{ kind: 'event', event: { id, source } }]
  if (isTraceId(id)) starts.push({ kind: 'trace', traceId: id.toLowerCase() })
  if (isSpanId(id)) {
    const [stored] = store.bySpan(id.toLowerCase(), null, 1)
    if (stored) starts.push({ kind: 'span', span: stored.span })
  }
  for (const start of starts) {
    const journey = buildJourney(store, start)
    if (journey) return journey
  }
  const [traceId] = store.search({ name: null, value: id }, 1)
  const [key] = traceId === undefined ? [] : keysOfTrace(store, traceId)
  if (!key) return null
  return buildJourney(
    store,
    key.kind === 'event' ? { kind: 'event', event: key.event } : { kind: 'trace', traceId: key.traceId },
  )
}

/**
 * Journeys that a query finds: by id (event, trace, span), by exact value of what is indexed, `name=value` for
 * any attribute; where none of these finds any, by text anywhere in the newest spans.
 */
export function searchJourneys(store: SpanStore, query: string, limit: number): JourneyList {
  const found = new Map<string, JourneySummary>()
  const traceIds = new Set<string>()
  const startedMs = performance.now()
  for (const tracesOf of [exactTraces, textTraces]) {
    for (const traceId of tracesOf(store, query, limit)) {
      if (traceIds.has(traceId)) continue
      traceIds.add(traceId)
      for (const key of keysOfTrace(store, traceId)) {
        const journey = journeyOfKey(store, key)
        if (!journey || !matchesOwn(journey, query)) continue
        found.set(`${journey.id} ${journey.event?.source}`, summaryOf(journey))
        if (found.size >= limit) return { journeys: [...found.values()], next: null }
      }
      if (performance.now() - startedMs > maxSearchMs) break
    }
    if (found.size > 0) break
  }
  return { journeys: [...found.values()], next: null }
}

/** Of a trace with several events, a query for one event's id does not mean the others. */
function matchesOwn(journey: Journey, query: string): boolean {
  const named = journey.spans.some(({ attributes }) => attributes['cloudevents.event_id'] === query)
  return !named || journey.event?.id === query
}

function* exactTraces(store: SpanStore, query: string, limit: number): Generator<string> {
  const lower = query.toLowerCase()
  if (isTraceId(query) && store.trace(lower)) yield lower
  if (isSpanId(query)) yield* store.bySpan(lower, null, limit).map(({ span }) => span.traceId)
  yield* store.search({ name: null, value: query }, limit)
  const pair = pairOf(query)
  if (pair) {
    yield* store.search(pair, limit)
    const { name, value } = pair
    const matches = (attributes: ReadonlyMap<string, Parameters<typeof textOf>[0]>) =>
      name !== null && textOf(attributes.get(name)) === value
    yield* store.scan(
      name ?? '',
      (span) => matches(span.attributes) || matches(span.origin.resource),
      maxScannedSpans,
      limit,
    )
  }
}

const textTraces = (store: SpanStore, query: string, limit: number): string[] =>
  store.scan(query, null, maxScannedSpans, limit)

function pairOf(query: string): TermQuery | null {
  const match = /^([A-Za-z_][\w.:/-]*)=(.*)$/s.exec(query)
  return match ? { name: match[1] ?? '', value: match[2] ?? '' } : null
}
