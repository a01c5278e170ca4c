import protobuf from 'protobufjs'
import { OtlpDecodeError } from '../errors.ts'
import { otlpDescriptor } from './descriptor.ts'

/** A 64-bit integer as protobufjs reads it. */
export interface Long {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
}

/** What protobufjs makes of the descriptor's messages. Fields that were not on the wire read as their defaults. */
export interface WireAnyValue {
  readonly value?: string
  readonly stringValue: string
  readonly boolValue: boolean
  readonly intValue: Long
  readonly doubleValue: number
  readonly arrayValue: { readonly values: readonly WireAnyValue[] }
  readonly kvlistValue: { readonly values: readonly WireKeyValue[] }
  readonly bytesValue: Uint8Array
}
export interface WireKeyValue {
  readonly key: string
  readonly value: WireAnyValue | null
}
export interface WireLink {
  readonly traceId: Uint8Array
  readonly spanId: Uint8Array
  readonly traceState: string
  readonly attributes: readonly WireKeyValue[]
  readonly flags: number
}
export interface WireSpan {
  readonly traceId: Uint8Array
  readonly spanId: Uint8Array
  readonly traceState: string
  readonly parentSpanId: Uint8Array
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: Long
  readonly endTimeUnixNano: Long
  readonly attributes: readonly WireKeyValue[]
  readonly events: readonly {
    readonly timeUnixNano: Long
    readonly name: string
    readonly attributes: readonly WireKeyValue[]
  }[]
  readonly links: readonly WireLink[]
  readonly droppedLinksCount: number
  readonly status: { readonly message: string; readonly code: number } | null
  readonly flags: number
}
export interface WireScopeSpans {
  readonly scope: { readonly name: string; readonly version: string } | null
  readonly spans: readonly WireSpan[]
  readonly schemaUrl: string
}
export interface WireResourceSpans {
  readonly resource: { readonly attributes: readonly WireKeyValue[] } | null
  readonly scopeSpans: readonly WireScopeSpans[]
  readonly schemaUrl: string
}
export interface WireRequest {
  readonly resourceSpans: readonly WireResourceSpans[]
}

const root = protobuf.Root.fromJSON(otlpDescriptor).resolveAll()
export const requestType = root.lookupType('ExportTraceServiceRequest')
const resourceSpansType = root.lookupType('ResourceSpans')
const spanType = root.lookupType('Span')
const responseType = root.lookupType('ExportServiceResponse')
const statusType = root.lookupType('Status')

// protobufjs types its messages as empty objects. That a message is one of ours, with the fields that the
// descriptor gives it, is decided by its constructor, which protobufjs derives from the descriptor.
const isRequest = (message: object): message is WireRequest => message instanceof requestType.ctor
const isResourceSpans = (message: object): message is WireResourceSpans =>
  message instanceof resourceSpansType.ctor
const isSpan = (message: object): message is WireSpan => message instanceof spanType.ctor

function decode<T extends object>(
  type: protobuf.Type,
  is: (message: object) => message is T,
  bytes: Uint8Array,
): T {
  const reader = protobuf.Reader.create(bytes)
  // Fields of later OTLP versions are written back as they came: the store keeps spans lossless.
  reader.discardUnknown = false
  const message = type.decode(reader)
  if (!is(message)) throw new TypeError(`not a ${type.name}`)
  return message
}

/**
 * Reads an `ExportTraceServiceRequest` in protobuf.
 * @throws OtlpDecodeError when the bytes are not one
 */
export function decodeRequest(bytes: Uint8Array): WireRequest {
  try {
    return decode(requestType, isRequest, bytes)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new OtlpDecodeError(`body is not an OTLP trace request in protobuf: ${reason}`, { cause: error })
  }
}

/** A request from a plain object whose names and types have been checked (ids as bytes, 64-bit as bigint). */
export function requestOf(checked: Record<string, unknown>): WireRequest {
  const message = requestType.fromObject(checked)
  if (!isRequest(message)) throw new TypeError('not a request')
  return message
}

/** One span as protobuf bytes, and back. What `decodeSpan` gets was written by `encodeSpan`. */
export const encodeSpan = (span: WireSpan): Uint8Array => spanType.encode(span).finish()
export const decodeSpan = (bytes: Uint8Array): WireSpan => decode(spanType, isSpan, bytes)

/**
 * Resource, scope and their schema URLs as a `ResourceSpans` message without spans: what many spans share,
 * stored once, from which together with the spans the OTLP that came in can be built again.
 */
export function encodeOrigin(resourceSpans: WireResourceSpans, scopeSpans: WireScopeSpans): Uint8Array {
  const origin = resourceSpansType.create({
    ...resourceSpans,
    scopeSpans: [{ ...scopeSpans, spans: [] }],
  })
  return resourceSpansType.encode(origin).finish()
}
export const decodeOrigin = (bytes: Uint8Array): WireResourceSpans =>
  decode(resourceSpansType, isResourceSpans, bytes)

/** An export response in protobuf; without a message it says that everything was kept. */
export function encodeResponse(rejected: number, errorMessage: string): Uint8Array {
  const partialSuccess = rejected > 0 || errorMessage !== '' ? { rejected, errorMessage } : undefined
  return responseType.encode(responseType.fromObject(partialSuccess ? { partialSuccess } : {})).finish()
}

/** google.rpc.Status in protobuf. */
export const encodeStatus = (code: number, message: string): Uint8Array =>
  statusType.encode(statusType.fromObject({ code, message })).finish()

/** A 64-bit field as a bigint. */
export function bigintOf(long: Long | number): bigint {
  if (typeof long === 'number') return BigInt(long)
  const unsigned = (BigInt(long.high >>> 0) << 32n) | BigInt(long.low >>> 0)
  return long.unsigned ? unsigned : BigInt.asIntN(64, unsigned)
}
