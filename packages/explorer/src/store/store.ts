import type { SpanRecord } from '../otlp/request.ts'
import type { Span } from '../otlp/span.ts'

export interface StoredSpan {
  readonly span: Span
  /** Same for a span that was exported twice; differs for two spans that share an id. */
  readonly digest: string
  readonly receivedUnixMs: number
}

export interface SpanKey {
  readonly traceId: string
  readonly spanId: string
}

/** An event's identity; `source` is null where the spans do not say it. */
export interface EventKey {
  readonly id: string
  readonly source: string | null
}

/** What a journey in the list is about: an event, or a trace in which no span names one. */
export type JourneyKey =
  | { readonly kind: 'event'; readonly event: EventKey }
  | { readonly kind: 'trace'; readonly traceId: string }

export interface JourneyRow {
  readonly key: JourneyKey
  /** Start of its first span. Rows are in the order of this and `cursor`, newest first. */
  readonly startUnixNanos: bigint
  /** Pass as `before` for the rows that follow. */
  readonly cursor: string
}

/** What to look for: spans with exactly this value, under one name or under any indexed one. */
export interface TermQuery {
  readonly name: string | null
  readonly value: string
}

export interface StoreStats {
  readonly spanCount: number
  readonly bytes: number
  readonly partitions: number
  /** Receipt of the oldest span that is kept; null in an empty store. */
  readonly oldestUnixMs: number | null
}

export interface Retention {
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/**
 * Keeps spans and finds them again. All lists are bounded by `limit`; a span that was exported twice is one.
 * An engine answers from what was appended before the call.
 */
export interface SpanStore {
  /**
   * Keeps all of the records or none; on return they survive the end of the process, however it ends.
   * @throws StoreFullError when there is no room
   */
  append(records: readonly SpanRecord[]): void
  /** Spans of a trace in order of receipt. */
  byTrace(traceId: string, limit: number): StoredSpan[]
  /** All spans with this id, of this trace or (null) of any. */
  bySpan(spanId: string, traceId: string | null, limit: number): StoredSpan[]
  children(parent: SpanKey, limit: number): StoredSpan[]
  /** Spans that carry a link to `target`; their keys alone, since the caller mostly has them. */
  linksTo(target: SpanKey, limit: number): SpanKey[]
  /** Spans of an event; a null `source` finds the id under every source. */
  byEvent(event: EventKey, limit: number): StoredSpan[]
  /** Trace ids in which an indexed value occurs, newest first. */
  search(query: TermQuery, limit: number): string[]
  /** Trace ids of the newest `maxSpans` spans in which the text occurs anywhere (ASCII case ignored), or `matches` says so. */
  scan(text: string, matches: ((span: Span) => boolean) | null, maxSpans: number, limit: number): string[]
  /** Journeys, newest first, from `before` (a cursor) on. */
  recent(before: string | null, limit: number): JourneyRow[]
  /** Start of the first span of a trace, and whether one of its spans names an event; null when it is not there. */
  trace(traceId: string): { readonly startUnixNanos: bigint; readonly namesEvent: boolean } | null
  /** Drops what is older or more than the retention allows, whole partitions at a time. Says how many. */
  retain(nowUnixMs: number): number
  stats(): StoreStats
  close(): void
}
