import { hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { readMeaning } from '../../journey/semantics.ts'
import type { SpanRecord } from '../../otlp/request.ts'
import { termsOf } from '../terms.ts'
import { journeyKeyText } from './journey-key.ts'

/** SQLite's integers are signed: times beyond 2262 stand at its end in indexes, the span itself keeps them. */
const maxInteger = 2n ** 63n - 1n
/** The cache is emptied, not grown, beyond this. */
const maxCachedTerms = 50_000

const blob = (hex: string): Buffer => Buffer.from(hex, 'hex')
const clamp = (nanos: bigint): bigint => (nanos > maxInteger ? maxInteger : nanos)

/** Writes spans and their index entries into one partition. */
export function partitionWriter(db: DatabaseSync) {
  const insertOrigin = db.prepare(
    'INSERT INTO origin (data) VALUES (?) ON CONFLICT DO UPDATE SET data = data RETURNING id',
  )
  const upsertTrace = db.prepare(
    `INSERT INTO trace (trace_id, start, names_event) VALUES (?, ?, ?) ON CONFLICT (trace_id) DO UPDATE
     SET start = min(start, excluded.start), names_event = max(names_event, excluded.names_event) RETURNING id`,
  )
  const insertSpan = db.prepare(
    `INSERT INTO span (trace, span_id, parent_id, digest, received, origin, event_id, event_source, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const insertLink = db.prepare('INSERT OR IGNORE INTO link (span_id, trace_id, span) VALUES (?, ?, ?)')
  const insertTerm = db.prepare(
    'INSERT INTO term (value, name) VALUES (?, ?) ON CONFLICT DO UPDATE SET name = name RETURNING id',
  )
  const insertTermTrace = db.prepare('INSERT OR IGNORE INTO term_trace (term, trace) VALUES (?, ?)')
  const upsertJourney = db.prepare(
    `INSERT INTO journey (key, start) VALUES (?, ?) ON CONFLICT (key) DO UPDATE
     SET start = excluded.start WHERE excluded.start < start`,
  )
  const terms = new Map<string, number>()

  function termId(name: string, value: string): number {
    const key = `${name}\t${value}`
    const cached = terms.get(key)
    if (cached !== undefined) return cached
    const id = idOf(insertTerm.get(value, name))
    if (terms.size >= maxCachedTerms) terms.clear()
    terms.set(key, id)
    return id
  }

  function insertAll(records: readonly SpanRecord[], receivedUnixMs: number): number {
    const originIds = new Map<Uint8Array, number>()
    const journeys = new Map<string, bigint>()
    let added = 0

    function insertOne(record: SpanRecord, trace: number, touchedTerms: Set<number>): void {
      const { span, data } = record
      const origin = originIds.get(record.origin) ?? idOf(insertOrigin.get(record.origin))
      originIds.set(record.origin, origin)
      const { event } = readMeaning(span)
      const { changes, lastInsertRowid } = insertSpan.run(
        trace,
        blob(span.spanId),
        span.parentSpanId === null ? null : blob(span.parentSpanId),
        hash('sha1', Buffer.concat([data, record.origin]), 'buffer').subarray(0, 8),
        receivedUnixMs,
        origin,
        event?.id ?? null,
        event?.source ?? null,
        data,
      )
      if (changes === 0) return
      added += 1
      for (const link of span.links) insertLink.run(blob(link.spanId), blob(link.traceId), lastInsertRowid)
      for (const [name, value] of termsOf(span)) touchedTerms.add(termId(name, value))
      const key = journeyKeyText(event ? { kind: 'event', event } : { kind: 'trace', traceId: span.traceId })
      const start = clamp(span.startUnixNanos)
      const earlier = journeys.get(key)
      if (earlier === undefined || start < earlier) journeys.set(key, start)
    }

    for (const [traceId, ofTrace] of Map.groupBy(records, ({ span }) => span.traceId)) {
      const first = earliestOf(ofTrace.map(({ span }) => clamp(span.startUnixNanos)))
      const namesEvent = ofTrace.some(({ span }) => readMeaning(span).event !== null)
      const trace = idOf(upsertTrace.get(blob(traceId), first, namesEvent ? 1 : 0))
      const touchedTerms = new Set<number>()
      for (const record of ofTrace) insertOne(record, trace, touchedTerms)
      for (const term of touchedTerms) insertTermTrace.run(term, trace)
    }
    for (const [key, start] of journeys) upsertJourney.run(key, start)
    return added
  }

  /** Keeps all records in one transaction, or none; says how many were new. */
  return function append(records: readonly SpanRecord[], receivedUnixMs: number): number {
    db.exec('BEGIN IMMEDIATE')
    try {
      const added = insertAll(records, receivedUnixMs)
      db.exec('COMMIT')
      return added
    } catch (error) {
      // Ids that the undone transaction gave out may be given out again for something else.
      terms.clear()
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
}

function earliestOf(times: readonly bigint[]): bigint {
  let earliest = maxInteger
  for (const time of times) if (time < earliest) earliest = time
  return earliest
}

function idOf(row: Record<string, unknown> | undefined): number {
  if (typeof row?.id !== 'number') throw new TypeError('statement returned no id')
  return row.id
}
