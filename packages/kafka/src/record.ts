import { isUtf8 } from 'node:buffer'
import type { KafkaRecord } from '@platformatic/kafka'
import type { Header, HeaderValue, Message } from '@throughline/core'

/** A message as it is handed to the driver. The value undefined is a null on the wire: a tombstone. */
export interface OutgoingRecord {
  readonly key: Buffer | undefined
  readonly value: Buffer | undefined
  /** Buffers as names, those of one record all different objects: a Map with text names would lose repeated headers. */
  readonly headers: Map<Buffer, Buffer>
  /** Estimate of the encoded record, bytes. */
  readonly sizeBytes: number
}

const CONTENT_TYPE = 'content-type'
/** Names written so often that their bytes are kept: an application has few, a foreign one could have any number. */
const usualNames = new Map<string, Buffer>()
const MAX_USUAL_NAMES = 256
// Lengths and deltas of a record and of a header, at most (KIP-98 message format).
const RECORD_OVERHEAD = 24
const HEADER_OVERHEAD = 6

/** `contentType` becomes the `content-type` header, and is then the only one. Properties have no place in a record. */
export function encodeRecord(message: Message): OutgoingRecord {
  const { body, key, contentType } = message
  const headers = new Map<Buffer, Buffer>()
  const keyBytes = key === undefined ? undefined : bytesOf(key)
  const value = body === null ? undefined : bytesOf(body)
  let sizeBytes = RECORD_OVERHEAD + (keyBytes?.byteLength ?? 0) + (value?.byteLength ?? 0)
  function add(header: string, headerValue: Buffer): void {
    const usual = nameBytes(header)
    const name = headers.has(usual) ? Buffer.from(usual) : usual
    headers.set(name, headerValue)
    sizeBytes += HEADER_OVERHEAD + name.byteLength + headerValue.byteLength
  }
  if (contentType !== undefined) add(CONTENT_TYPE, Buffer.from(contentType))
  for (const [name, headerValue] of message.headers) {
    if (contentType !== undefined && isContentType(name)) continue
    add(name, bytesOf(headerValue))
  }
  return { key: keyBytes, value, headers, sizeBytes }
}

/** Keys and header values are text where they are UTF-8, else bytes; a null header value is read as empty text. */
export function decodeRecord({ key, value, headers }: KafkaRecord, timestampMs: number | undefined): Message {
  const read: Header[] = []
  let contentType: string | undefined
  for (const [nameBytes, valueBytes] of headers) {
    const name = nameBytes === null ? '' : nameBytes.toString('utf8')
    const headerValue = valueBytes === null ? '' : textOrBytes(valueBytes)
    if (isContentType(name) && typeof headerValue === 'string' && headerValue !== '')
      contentType ??= headerValue
    else read.push([name, headerValue])
  }
  return {
    body: value,
    headers: read,
    ...(timestampMs === undefined ? {} : { properties: { timestampMs } }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(key === null ? {} : { key: textOrBytes(key) }),
  }
}

function nameBytes(name: string): Buffer {
  const known = usualNames.get(name)
  if (known !== undefined) return known
  const bytes = Buffer.from(name)
  if (usualNames.size < MAX_USUAL_NAMES) usualNames.set(name, bytes)
  return bytes
}

function isContentType(name: string): boolean {
  return name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE
}

function textOrBytes(bytes: Buffer): HeaderValue {
  // Buffer's own decoding keeps a byte order mark, so that what is read is what is written again.
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes
}

/** A view, not a copy, of bytes; UTF-8 of text. */
function bytesOf(value: string | Uint8Array): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
