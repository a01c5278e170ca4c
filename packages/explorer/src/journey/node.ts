import type { Link, Span } from '../otlp/span.ts'
import { isTrue } from '../otlp/value.ts'
import type { EventKey, SpanKey, StoredSpan } from '../store/store.ts'
import { type Meaning, readMeaning } from './semantics.ts'

/** A span in a journey, with what it means. */
export interface Node {
  /** Trace id and span id. Two spans may share one; the first that was received then stands for both in edges. */
  readonly id: string
  readonly span: Span
  readonly meaning: Meaning
  readonly receivedUnixMs: number
}

export const refId = ({ traceId, spanId }: SpanKey): string => `${traceId}${spanId}`

export const nodeOf = ({ span, receivedUnixMs }: StoredSpan): Node => ({
  id: refId(span),
  span,
  meaning: readMeaning(span),
  receivedUnixMs,
})

export const parentId = ({ span }: Node): string | null =>
  span.parentSpanId === null ? null : `${span.traceId}${span.parentSpanId}`

export const isConsumption = ({ meaning: { role } }: Node): boolean =>
  role === 'process' || role === 'receive'
export const isPublication = ({ meaning: { role } }: Node): boolean => role === 'send' || role === 'create'

/** Names under which a link says that it is something else than the context of a message. */
const marks = ['origin', 'retry', 'replay', 'delayed', 'dead_letter'] as const

export const isMarked = ({ attributes }: Link): boolean => marks.some((mark) => isTrue(attributes.get(mark)))

/**
 * Whether a span consumes several messages at once. A span of one message may have several links too: to the
 * context in which the event was created, to the attempt before, to what it replays.
 */
export function isBatch(node: Node): boolean {
  const { meaning, span } = node
  if (!isConsumption(node)) return false
  if ((meaning.batchSize ?? 0) > 1 || span.attributes.has('throughline.batch.part')) return true
  if (meaning.event !== null) return false
  const members = span.links.filter((link) => !isMarked(link))
  return new Set(members.map(refId)).size > 1
}

/** The same id, and the same source where both say one. */
export const isSameEvent = (a: EventKey, b: EventKey): boolean =>
  a.id === b.id && (a.source === null || b.source === null || a.source === b.source)
