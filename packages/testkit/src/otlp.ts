import protobuf from 'protobufjs'

/** A span of OTLP with its resource's `service.name`, nothing else added or left out that a test asks for. */
export interface PlainSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly name: string
  readonly kind: 'UNSPECIFIED' | 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
  /** `service.name`; empty when the resource has none. */
  readonly service: string
  readonly attributes: PlainAttributes
  readonly links: readonly {
    readonly traceId: string
    readonly spanId: string
    readonly attributes: PlainAttributes
  }[]
  readonly events: readonly { readonly name: string; readonly attributes: PlainAttributes }[]
  readonly startUnixNanos: bigint
  readonly endUnixNanos: bigint
  readonly status: { readonly code: 'UNSET' | 'OK' | 'ERROR'; readonly message: string }
}

/** Integers are numbers, those past 2^53 bigints; bytes are Uint8Array. */
export type PlainAttributes = Readonly<Record<string, unknown>>

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const STATUS_CODES = ['UNSET', 'OK', 'ERROR'] as const

// opentelemetry-proto 1.x, field numbers as published; what a test does not read is left out and skipped.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3;
    double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; repeated KeyValue attributes = 4; }
  message Status { string message = 2; int32 code = 3; }
  message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15; }
  message ScopeSpans { repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message TracesData { repeated ResourceSpans resource_spans = 1; }
`)
const TracesData = root.lookupType('TracesData')

/**
 * Spans of an OTLP traces request (`ExportTraceServiceRequest`), uncompressed, in either encoding.
 * Throws when the bytes are not that.
 */
export function decodeTraces(body: Uint8Array, contentType: string): readonly PlainSpan[] {
  const request = contentType.includes('json')
    ? JSON.parse(new TextDecoder().decode(body))
    : TracesData.toObject(TracesData.decode(body), { longs: String })
  return list(member(request, 'resourceSpans')).flatMap((resourceSpans) => {
    const resource = attributesOf(member(resourceSpans, 'resource'))
    const service = String(resource['service.name'] ?? '')
    return list(member(resourceSpans, 'scopeSpans')).flatMap((scopeSpans) =>
      list(member(scopeSpans, 'spans')).map((span) => plainSpan(span, service)),
    )
  })
}

function plainSpan(span: unknown, service: string): PlainSpan {
  return {
    traceId: hex(member(span, 'traceId')),
    spanId: hex(member(span, 'spanId')),
    parentSpanId: hex(member(span, 'parentSpanId')),
    name: String(member(span, 'name') ?? ''),
    kind: enumName(KINDS, member(span, 'kind')),
    service,
    attributes: attributesOf(span),
    links: list(member(span, 'links')).map((link) => ({
      traceId: hex(member(link, 'traceId')),
      spanId: hex(member(link, 'spanId')),
      attributes: attributesOf(link),
    })),
    events: list(member(span, 'events')).map((event) => ({
      name: String(member(event, 'name') ?? ''),
      attributes: attributesOf(event),
    })),
    startUnixNanos: BigInt(String(member(span, 'startTimeUnixNano') ?? 0)),
    endUnixNanos: BigInt(String(member(span, 'endTimeUnixNano') ?? 0)),
    status: {
      code: enumName(STATUS_CODES, member(member(span, 'status'), 'code')),
      message: String(member(member(span, 'status'), 'message') ?? ''),
    },
  }
}

function attributesOf(owner: unknown): PlainAttributes {
  return keyValues(member(owner, 'attributes'))
}

function keyValues(pairs: unknown): PlainAttributes {
  return Object.fromEntries(
    list(pairs).map((pair) => [String(member(pair, 'key')), anyValue(member(pair, 'value'))]),
  )
}

function anyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return null
  const [[kind, inner] = ['', null]] = Object.entries(value)
  switch (kind) {
    case 'intValue': {
      const integer = BigInt(String(inner))
      const number = Number(integer)
      return Number.isSafeInteger(number) ? number : integer
    }
    case 'arrayValue':
      return list(member(inner, 'values')).map(anyValue)
    case 'kvlistValue':
      return keyValues(member(inner, 'values'))
    case 'bytesValue':
      return typeof inner === 'string' ? new Uint8Array(Buffer.from(inner, 'base64')) : inner
    default:
      return inner
  }
}

/** JSON has ids in hexadecimal (OTLP's exception to proto3's base64), protobuf as bytes. */
function hex(id: unknown): string {
  if (id instanceof Uint8Array) return Buffer.from(id).toString('hex')
  return String(id ?? '').toLowerCase()
}

function enumName<const Name extends string>(names: readonly Name[], value: unknown): Name {
  const number = Number(value ?? 0)
  const name = names[number]
  if (name === undefined) throw new Error(`${String(value)} is no value of ${names.join(', ')}`)
  return name
}

function member(owner: unknown, name: string): unknown {
  if (typeof owner !== 'object' || owner === null) return undefined
  return Object.getOwnPropertyDescriptor(owner, name)?.value
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
