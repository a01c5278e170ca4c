import { decodeJsonRequest } from '../src/otlp/json.ts'
import { intakeOf, type SpanRecord } from '../src/otlp/request.ts'

/** A span in few words; times in milliseconds from a fixed moment, ids padded with zeros in front. */
export interface SpanSpec {
  readonly service?: string
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly name?: string
  readonly kind?: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
  readonly at?: number
  readonly ms?: number
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly resource?: Readonly<Record<string, unknown>>
  readonly links?: readonly LinkSpec[]
  readonly error?: string
  readonly droppedLinks?: number
}
export interface LinkSpec {
  readonly trace: string
  readonly id: string
  readonly flags?: number
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** 2026-01-01T00:00:00Z: the moment from which `at` counts. */
export const zeroUnixMs = 1_767_225_600_000

export const traceId = (short: string): string => short.padStart(32, '0')
export const spanId = (short: string): string => short.padStart(16, '0')
const nanos = (ms: number): string => String(BigInt(Math.round(ms * 1e6)) + BigInt(zeroUnixMs) * 1_000_000n)

function anyValue(value: unknown): Record<string, unknown> {
  switch (typeof value) {
    case 'boolean':
      return { boolValue: value }
    case 'number':
      return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
    default:
      return { stringValue: String(value) }
  }
}
const keyValues = (attributes: Readonly<Record<string, unknown>> = {}) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }))

function spanJson(spec: SpanSpec) {
  const { at = 0, ms = 1, links = [] } = spec
  return {
    traceId: traceId(spec.trace),
    spanId: spanId(spec.id),
    ...(spec.parent ? { parentSpanId: spanId(spec.parent) } : {}),
    name: spec.name ?? spec.id,
    kind: `SPAN_KIND_${spec.kind ?? 'INTERNAL'}`,
    startTimeUnixNano: nanos(at),
    endTimeUnixNano: nanos(at + ms),
    attributes: keyValues(spec.attributes),
    links: links.map((link) => ({
      traceId: traceId(link.trace),
      spanId: spanId(link.id),
      flags: link.flags ?? 0x101,
      attributes: keyValues(link.attributes),
    })),
    ...(spec.droppedLinks ? { droppedLinksCount: spec.droppedLinks } : {}),
    ...(spec.error === undefined ? {} : { status: { code: 2, message: spec.error } }),
  }
}

/** An OTLP/JSON request, each span with its service's resource. */
export function requestJson(specs: readonly SpanSpec[]) {
  return {
    resourceSpans: specs.map((spec) => ({
      resource: { attributes: keyValues({ 'service.name': spec.service ?? 'service', ...spec.resource }) },
      scopeSpans: [{ scope: { name: 'test', version: '1' }, spans: [spanJson(spec)] }],
    })),
  }
}

export const recordsOf = (specs: readonly SpanSpec[]): readonly SpanRecord[] =>
  intakeOf(decodeJsonRequest(Buffer.from(JSON.stringify(requestJson(specs))))).records

const kinds = { send: 'PRODUCER', process: 'CONSUMER', receive: 'CONSUMER' } as const

/** A message span of ours: `message('process', 'kafka', 'orders', { trace, id, … })`. */
export function message(
  operation: keyof typeof kinds,
  system: string,
  destination: string,
  spec: SpanSpec & { readonly event?: string },
): SpanSpec {
  return {
    kind: kinds[operation],
    name: `${operation} ${destination}`,
    ...spec,
    attributes: {
      'messaging.system': system,
      'messaging.operation.type': operation,
      'messaging.destination.name': destination,
      ...(spec.event === undefined
        ? {}
        : { 'cloudevents.event_id': spec.event, 'cloudevents.event_source': '/test' }),
      ...spec.attributes,
    },
  }
}
