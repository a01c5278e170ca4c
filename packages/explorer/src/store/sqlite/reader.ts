import type { DatabaseSync } from 'node:sqlite'
import { decodeOrigin, decodeSpan } from '../../otlp/codec.ts'
import { type Origin, originOf, type Span, spanOf } from '../../otlp/span.ts'
import type { EventKey, SpanKey, StoredSpan, TermQuery } from '../store.ts'

/** The cache is emptied, not grown, beyond this. */
const maxCachedOrigins = 10_000

const blob = (hex: string): Buffer => Buffer.from(hex, 'hex')

export interface JourneyEntry {
  readonly key: string
  readonly start: bigint
}

/** Finds spans in one partition. */
export function partitionReader(db: DatabaseSync) {
  const columns = 'span.digest, span.received, span.origin, span.data'
  const ofTrace = `SELECT ${columns} FROM trace JOIN span ON span.trace = trace.id WHERE trace.trace_id = ?`
  const selectTrace = db.prepare(`${ofTrace} ORDER BY span.id LIMIT ?`)
  const selectSpan = db.prepare(`SELECT ${columns} FROM span WHERE span_id = ? ORDER BY id LIMIT ?`)
  const selectSpanOfTrace = db.prepare(`${ofTrace} AND span.span_id = ? ORDER BY span.id LIMIT ?`)
  const selectChildren = db.prepare(`${ofTrace} AND span.parent_id = ? ORDER BY span.id LIMIT ?`)
  const selectLinks = db.prepare(
    `SELECT trace.trace_id, span.span_id FROM link JOIN span ON span.id = link.span JOIN trace ON trace.id = span.trace
     WHERE link.span_id = ? AND link.trace_id = ? ORDER BY span.id LIMIT ?`,
  )
  const selectEvent = db.prepare(
    `SELECT ${columns} FROM span
     WHERE event_id = ? AND (? IS NULL OR event_source IS NULL OR event_source = ?) ORDER BY id LIMIT ?`,
  )
  const selectNewest = db.prepare(
    `SELECT trace.trace_id, ${columns} FROM span JOIN trace ON trace.id = span.trace ORDER BY span.id DESC LIMIT ?`,
  )
  const termJoin = `SELECT DISTINCT trace.trace_id, trace.start FROM term
     JOIN term_trace ON term_trace.term = term.id JOIN trace ON trace.id = term_trace.trace`
  const selectAnyTerm = db.prepare(`${termJoin} WHERE term.value = ? ORDER BY trace.start DESC LIMIT ?`)
  const selectTerm = db.prepare(
    `${termJoin} WHERE term.value = ? AND term.name = ? ORDER BY trace.start DESC LIMIT ?`,
  )
  const selectJourneys = db.prepare(
    'SELECT key, start FROM journey WHERE (start, key) < (?, ?) ORDER BY start DESC, key DESC LIMIT ?',
  )
  const selectJourney = db.prepare('SELECT start FROM journey WHERE key = ?')
  const selectTraceRow = db.prepare('SELECT start, names_event FROM trace WHERE trace_id = ?')
  const selectOrigin = db.prepare('SELECT data FROM origin WHERE id = ?')
  const selectStats = db.prepare('SELECT count(*) AS spans, min(received) AS oldest FROM span')
  for (const statement of [selectAnyTerm, selectTerm, selectJourneys, selectJourney, selectTraceRow])
    statement.setReadBigInts(true)
  const origins = new Map<number, Origin>()

  function originData(id: number): Uint8Array {
    return bytesOf(selectOrigin.get(id)?.data)
  }

  function originOfId(id: number): Origin {
    const cached = origins.get(id)
    if (cached) return cached
    const origin = originOf(decodeOrigin(originData(id)))
    if (origins.size >= maxCachedOrigins) origins.clear()
    origins.set(id, origin)
    return origin
  }

  const storedOf = (row: Record<string, unknown>): StoredSpan => ({
    span: spanOf(decodeSpan(bytesOf(row.data)), originOfId(numberOf(row.origin))),
    digest: hexOf(row.digest),
    receivedUnixMs: numberOf(row.received),
  })

  return {
    byTrace: (traceId: string, limit: number) => selectTrace.all(blob(traceId), limit).map(storedOf),
    bySpan: (spanId: string, traceId: string | null, limit: number) =>
      (traceId === null
        ? selectSpan.all(blob(spanId), limit)
        : selectSpanOfTrace.all(blob(traceId), blob(spanId), limit)
      ).map(storedOf),
    children: (parent: SpanKey, limit: number) =>
      selectChildren.all(blob(parent.traceId), blob(parent.spanId), limit).map(storedOf),
    linksTo: (target: SpanKey, limit: number): SpanKey[] =>
      selectLinks
        .all(blob(target.spanId), blob(target.traceId), limit)
        .map((row) => ({ traceId: hexOf(row.trace_id), spanId: hexOf(row.span_id) })),
    byEvent: ({ id, source }: EventKey, limit: number) =>
      selectEvent.all(id, source, source, limit).map(storedOf),
    search: ({ name, value }: TermQuery, limit: number) =>
      (name === null ? selectAnyTerm.all(value, limit) : selectTerm.all(value, name, limit)).map((row) => ({
        traceId: hexOf(row.trace_id),
        start: bigintOf(row.start),
      })),
    /**
     * The newest spans, decoded only where `text` occurs in their bytes or their resource's; stops when `visit`
     * returns false. Says how many it went through.
     */
    scan(text: string, maxSpans: number, visit: (traceId: string, span: () => Span) => boolean): number {
      const needle = foldedOf(Buffer.from(text, 'utf8'))
      const inOrigin = new Map<number, boolean>()
      let seen = 0
      for (const row of selectNewest.iterate(maxSpans)) {
        seen += 1
        const origin = numberOf(row.origin)
        const hit = inOrigin.get(origin) ?? foldedOf(originData(origin)).includes(needle)
        inOrigin.set(origin, hit)
        if (!hit && !foldedOf(bytesOf(row.data)).includes(needle)) continue
        if (!visit(hexOf(row.trace_id), () => storedOf(row).span)) break
      }
      return seen
    },
    journeys: (before: JourneyEntry, limit: number): JourneyEntry[] =>
      selectJourneys
        .all(before.start, before.key, limit)
        .map((row) => ({ key: String(row.key), start: bigintOf(row.start) })),
    journeyStart(key: string): bigint | null {
      const row = selectJourney.get(key)
      return row ? bigintOf(row.start) : null
    },
    trace(traceId: string) {
      const row = selectTraceRow.get(blob(traceId))
      return row ? { startUnixNanos: bigintOf(row.start), namesEvent: row.names_event === 1n } : null
    },
    counts(): { spanCount: number; oldestUnixMs: number | null } {
      const row = selectStats.get()
      return {
        spanCount: numberOf(row?.spans),
        oldestUnixMs: row?.oldest === null ? null : numberOf(row?.oldest),
      }
    },
  }
}

/** Bytes as text in one case: UTF-8 can be searched in it without being decoded, if the needle is treated alike. */
const foldedOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').toLowerCase()

// A column of another type than the schema's comes only from a damaged file.
function bytesOf(column: unknown): Uint8Array {
  if (column instanceof Uint8Array) return column
  throw new TypeError('column is not a blob')
}
const hexOf = (column: unknown): string => Buffer.from(bytesOf(column)).toString('hex')
function numberOf(column: unknown): number {
  if (typeof column === 'number') return column
  throw new TypeError('column is not a number')
}
function bigintOf(column: unknown): bigint {
  if (typeof column === 'bigint') return column
  throw new TypeError('column is not an integer')
}
