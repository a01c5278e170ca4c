import { type SpanContext, TraceFlags } from '@opentelemetry/api'

/** The trace id's last 7 bytes are random (W3C Trace Context level 2 §3.2.2.5.2): samplers of other services rely on it. */
export const RANDOM_FLAG = 0x02
const KNOWN_FLAGS = TraceFlags.SAMPLED | RANDOM_FLAG

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/
/** Of version 00, which has no more; the parts of all versions stand where they do in it. */
const LENGTH = 55

/**
 * The span context in a `traceparent`, by the letter of W3C Trace Context level 2 §3.2; undefined where it is not valid.
 * Of a version after 00 the part known to version 00 is read (§4.3); flags that no version defines are left out.
 */
export function parseTraceparent(text: unknown): SpanContext | undefined {
  if (typeof text !== 'string' || !TRACEPARENT.test(text)) return undefined
  if (text.length > LENGTH && text.startsWith('00')) return undefined
  return {
    traceId: text.slice(3, 35),
    spanId: text.slice(36, 52),
    traceFlags: Number.parseInt(text.slice(53, LENGTH), 16) & KNOWN_FLAGS,
    isRemote: true,
  }
}

/** A span's context as W3C `traceparent` (Trace Context level 2 §3.2), version 00, with `flags` beside its own. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext, flags = 0): string {
  return `00-${traceId}-${spanId}-0${(traceFlags | flags) & KNOWN_FLAGS}`
}
