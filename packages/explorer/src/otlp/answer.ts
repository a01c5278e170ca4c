import { encodeResponse, encodeStatus } from './codec.ts'

/** The encodings of OTLP/HTTP; an answer is in the encoding of its request. */
export type Encoding = 'protobuf' | 'json'

export type Signal = 'traces' | 'metrics' | 'logs'

export const contentTypeOf: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

/** The encoding that a content type names; null when it names none of OTLP's. */
export function encodingOf(contentType: string | undefined): Encoding | null {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-protobuf' || type === 'application/protobuf') return 'protobuf'
  return type === 'application/json' ? 'json' : null
}

const rejectedName: Readonly<Record<Signal, string>> = {
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
  logs: 'rejectedLogRecords',
}

/** An export response (OTLP specification, "Partial Success"): `rejected` 0 without message is full success. */
export function exportAnswer(encoding: Encoding, signal: Signal, rejected: number, message: string): Buffer {
  if (encoding === 'protobuf') return Buffer.from(encodeResponse(rejected, message))
  const partialSuccess = { [rejectedName[signal]]: String(rejected), errorMessage: message }
  return Buffer.from(JSON.stringify(rejected > 0 || message !== '' ? { partialSuccess } : {}))
}

/** google.rpc.Status: `code` is gRPC's, as OTLP's "Failures" section asks for. */
export function failureAnswer(encoding: Encoding, code: number, message: string): Buffer {
  if (encoding === 'protobuf') return Buffer.from(encodeStatus(code, message))
  return Buffer.from(JSON.stringify({ code, message }))
}

/** gRPC's codes that an HTTP status stands for. */
export const grpcCode = {
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const
