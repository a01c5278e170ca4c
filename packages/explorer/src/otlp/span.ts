import type { SpanKind, SpanStatus } from '../api/schema.ts'
import { bigintOf, type WireResourceSpans, type WireSpan } from './codec.ts'
import { type AttributeMap, attributeMapOf, textOf } from './value.ts'

export interface Link {
  readonly traceId: string
  readonly spanId: string
  /** W3C trace flags in the low byte; bit 8 says that the remote bit is known (OTLP SpanFlags). */
  readonly flags: number
  readonly attributes: AttributeMap
}

/** Who sent a span: its resource and instrumentation scope. Shared by many spans. */
export interface Origin {
  readonly resource: AttributeMap
  /** `service.name`; `unknown_service` where there is none. */
  readonly service: string
  readonly scope: { readonly name: string; readonly version: string }
}

/** A span as it was received, ids as lower-case hex. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | null
  readonly traceState: string
  readonly name: string
  readonly kind: SpanKind
  readonly startUnixNanos: bigint
  readonly endUnixNanos: bigint
  readonly attributes: AttributeMap
  readonly events: readonly {
    readonly name: string
    readonly unixNanos: bigint
    readonly attributes: AttributeMap
  }[]
  readonly links: readonly Link[]
  readonly droppedLinksCount: number
  readonly status: SpanStatus
  readonly statusMessage: string
  readonly origin: Origin
}

const kinds: readonly SpanKind[] = ['INTERNAL', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const statuses: readonly SpanStatus[] = ['UNSET', 'OK', 'ERROR']

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
const isId = (bytes: Uint8Array, length: number): boolean =>
  bytes.length === length && bytes.some((b) => b !== 0)

/** Why a span cannot be kept, or null. Trace Context: ids of 16 and 8 bytes, not all zero. */
export function refusalOf(span: WireSpan): string | null {
  const name = span.name.slice(0, 80)
  if (!isId(span.traceId, 16)) return `span "${name}": trace id must be 16 bytes, not all zero`
  if (!isId(span.spanId, 8)) return `span "${name}": span id must be 8 bytes, not all zero`
  const parent = span.parentSpanId.length
  if (parent !== 0 && parent !== 8) return `span "${name}": parent span id must be 8 bytes or absent`
  return null
}

/** The origin of the spans of one `ScopeSpans`. */
export function originOf(resourceSpans: WireResourceSpans, scopeIndex = 0): Origin {
  const resource = attributeMapOf(resourceSpans.resource?.attributes ?? [])
  const scope = resourceSpans.scopeSpans[scopeIndex]?.scope
  return {
    resource,
    service: textOf(resource.get('service.name')) || 'unknown_service',
    scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
  }
}

/** Reads a span that `refusalOf` let pass. Links whose ids are not ids point nowhere and are left out here. */
export function spanOf(wire: WireSpan, origin: Origin): Span {
  return {
    traceId: hex(wire.traceId),
    spanId: hex(wire.spanId),
    parentSpanId: isId(wire.parentSpanId, 8) ? hex(wire.parentSpanId) : null,
    traceState: wire.traceState,
    name: wire.name,
    kind: kinds[wire.kind] ?? 'INTERNAL',
    startUnixNanos: bigintOf(wire.startTimeUnixNano),
    endUnixNanos: bigintOf(wire.endTimeUnixNano),
    attributes: attributeMapOf(wire.attributes),
    events: wire.events.map((event) => ({
      name: event.name,
      unixNanos: bigintOf(event.timeUnixNano),
      attributes: attributeMapOf(event.attributes),
    })),
    links: wire.links
      .filter((link) => isId(link.traceId, 16) && isId(link.spanId, 8))
      .map((link) => ({
        traceId: hex(link.traceId),
        spanId: hex(link.spanId),
        flags: link.flags,
        attributes: attributeMapOf(link.attributes),
      })),
    droppedLinksCount: wire.droppedLinksCount,
    status: statuses[wire.status?.code ?? 0] ?? 'UNSET',
    statusMessage: wire.status?.message ?? '',
    origin,
  }
}
