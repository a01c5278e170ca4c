import { encodeOrigin, encodeSpan, type WireRequest } from './codec.ts'
import { originOf, refusalOf, type Span, spanOf } from './span.ts'

/** A span on its way into the store: what it says, and the bytes that are kept. */
export interface SpanRecord {
  readonly span: Span
  /** The `Span` message. */
  readonly data: Uint8Array
  /** A `ResourceSpans` message without spans: resource, scope and schema URLs. The same object for all spans that share them. */
  readonly origin: Uint8Array
}

export interface Intake {
  readonly records: readonly SpanRecord[]
  readonly rejected: number
  /** Why spans were rejected: the first few reasons, each once. Empty when none was. */
  readonly message: string
}

const maxReasons = 3

/** Splits a request into the spans that can be kept and the count and reasons of those that cannot. */
export function intakeOf(request: WireRequest): Intake {
  const records: SpanRecord[] = []
  const reasons = new Set<string>()
  let rejected = 0
  for (const resourceSpans of request.resourceSpans) {
    for (const [index, scopeSpans] of resourceSpans.scopeSpans.entries()) {
      if (scopeSpans.spans.length === 0) continue
      const origin = originOf(resourceSpans, index)
      const originBytes = encodeOrigin(resourceSpans, scopeSpans)
      for (const wire of scopeSpans.spans) {
        const refusal = refusalOf(wire)
        if (refusal === null) {
          records.push({ span: spanOf(wire, origin), data: encodeSpan(wire), origin: originBytes })
          continue
        }
        rejected += 1
        if (reasons.size < maxReasons) reasons.add(refusal)
      }
    }
  }
  return { records, rejected, message: [...reasons].join('; ') }
}
