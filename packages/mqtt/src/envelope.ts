import {
  type Header,
  type Message,
  mediaTypeOf,
  parseJson,
  STRUCTURED_JSON,
  STRUCTURED_JSON_UTF8,
  stringifyJson,
} from '@throughline/core'
import { HOP_CONTEXT, isHopContext } from './binding.ts'

/**
 * A payload that carries what MQTT 3.1.1 has no properties for: a JSON object of the hop's context, the other headers
 * and the content.
 *
 * `{ "traceparent": "…", "tracestate": "…", "baggage": "…", "headers": { "name": "value" }, "event": { … } }`
 *
 * `event` is a CloudEvent in its JSON format; in its place bytes that are no event have `data` where they are UTF-8
 * text, else `data_base64`. A header that is repeated has an array, `headers` of data has its `content-type`.
 */
interface Envelope {
  readonly traceparent?: unknown
  readonly tracestate?: unknown
  readonly baggage?: unknown
  readonly headers?: unknown
  readonly event?: unknown
  readonly data?: unknown
  readonly data_base64?: unknown
}

const CONTENT = ['event', 'data', 'data_base64']
const MEMBERS: readonly string[] = [...HOP_CONTEXT, 'headers', ...CONTENT]
const CONTENT_TYPE = 'content-type'
const OPENING_BRACE = 0x7b

const encoder = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A message whose headers, content type and body are all in its payload. Values that are bytes are base64 under their
 * name + `-b64`. One without a body stays as it is: an empty payload is what deletes a retained message.
 */
export function wrap(message: Message): Message {
  const { body, contentType, headers } = message
  if (body === null) return message
  const text = utf8OrNull(body)
  const isEvent = text !== null && carriesEvent(message, text)
  const others = isEvent || contentType === undefined ? headers : withContentType(headers, contentType)
  const members = JSON.stringify({ ...contextMembers(others), ...headerMember(others) })
  const content = isEvent
    ? `"event":${text}`
    : text === null
      ? `"data_base64":"${base64(body)}"`
      : `"data":${JSON.stringify(text)}`
  const payload = members === '{}' ? `{${content}}` : `${members.slice(0, -1)},${content}}`
  return { ...message, body: encoder.encode(payload), headers: [], contentType: 'application/json' }
}

/**
 * The message that came in an envelope. From any other JSON object without `specversion` its members `traceparent`,
 * `tracestate` and `baggage` are read as headers, and its bytes stay as they are. Never throws: what is no envelope is
 * the message itself. A context in the message's own properties wins over that in its payload.
 */
export function unwrap(message: Message): Message {
  // Over MQTT 5 this is the data of an event in binary mode, whatever it looks like.
  if (message.headers.some(([name]) => name === 'specversion')) return message
  try {
    const envelope = objectOf(message.body)
    if (envelope === null || 'specversion' in envelope) return message
    const hasContext = message.headers.some(([name]) => name.toLowerCase() === 'traceparent')
    const headers = [...message.headers, ...(hasContext ? [] : contextOf(envelope))]
    const content = contentOf(envelope)
    if (content === null) return { ...message, headers }
    const { contentType: _, ...rest } = message
    return { ...rest, ...content, headers: [...headers, ...content.headers] }
  } catch {
    // JSON too deep to be written again.
    return message
  }
}

function carriesEvent({ contentType, event }: Message, text: string): boolean {
  if (contentType === undefined || mediaTypeOf(contentType) !== STRUCTURED_JSON) return false
  // Bytes that only say that they are an event would break the envelope that they are put into.
  return event !== undefined || isEvent(parsedOrNull(text))
}

function withContentType(headers: readonly Header[], contentType: string): readonly Header[] {
  const kept = headers.filter(([name]) => name.toLowerCase() !== CONTENT_TYPE)
  return [...kept, [CONTENT_TYPE, contentType]]
}

/** Repeated ones are one list, as they would be read from headers: two `traceparent` stay invalid. */
function contextMembers(headers: readonly Header[]): Record<string, string> {
  const members: Record<string, string> = {}
  for (const [name, value] of headers) {
    const member = name.toLowerCase()
    if (!isHopContext(member) || typeof value !== 'string') continue
    members[member] = members[member] === undefined ? value : `${members[member]},${value}`
  }
  return members
}

function headerMember(headers: readonly Header[]): { headers?: Record<string, string | string[]> } {
  // No prototype: a header may be called `__proto__`.
  const byName: Record<string, string | string[]> = Object.create(null)
  let count = 0
  for (const [header, value] of headers) {
    const isText = typeof value === 'string'
    if (isText && isHopContext(header.toLowerCase())) continue
    const name = isText ? header : `${header}-b64`
    const before = byName[name]
    const written = isText ? value : base64(value)
    byName[name] = before === undefined ? written : [before, written].flat()
    count++
  }
  return count === 0 ? {} : { headers: byName }
}

function contextOf(envelope: Envelope): Header[] {
  const headers: Header[] = []
  for (const name of HOP_CONTEXT) {
    const value = envelope[name]
    if (typeof value === 'string') headers.push([name, value])
  }
  return headers
}

/** What an envelope holds beside the context; null for an object that is none. */
function contentOf(envelope: Envelope): Pick<Message, 'body' | 'headers' | 'contentType'> | null {
  const headers = headersOf(envelope)
  if (isEvent(envelope.event)) {
    return { body: encoder.encode(stringifyJson(envelope.event)), headers, contentType: STRUCTURED_JSON_UTF8 }
  }
  // `data` is a common name: an object with members of its own is a message of its own.
  const names = Object.keys(envelope)
  const isData =
    names.every((name) => MEMBERS.includes(name)) &&
    names.filter((name) => CONTENT.includes(name)).length === 1
  const data = isData ? dataOf(envelope) : null
  if (data === null) return null
  const isContentType = ([name]: Header) => name.toLowerCase() === CONTENT_TYPE
  const [, contentType = data.contentType] = headers.find(isContentType) ?? []
  return {
    body: data.body,
    headers: headers.filter((header) => !isContentType(header)),
    ...(contentType === undefined ? {} : { contentType }),
  }
}

function dataOf({ data, data_base64 }: Envelope): { body: Uint8Array; contentType?: string } | null {
  if (typeof data === 'string') return { body: encoder.encode(data) }
  if (data !== undefined)
    return { body: encoder.encode(stringifyJson(data)), contentType: 'application/json' }
  if (typeof data_base64 !== 'string') return null
  const body = Buffer.from(data_base64, 'base64')
  // Buffer skips what is not base64.
  return unpadded(body.toString('base64')) === unpadded(data_base64) ? { body } : null
}

/** The context is not looked for in here: it has members of its own. */
function headersOf({ headers }: Envelope): [name: string, value: string][] {
  if (!isRecord(headers)) return []
  const found: [string, string][] = []
  for (const [name, values] of Object.entries(headers)) {
    if (isHopContext(name.toLowerCase())) continue
    for (const value of [values].flat()) if (typeof value === 'string') found.push([name, value])
  }
  return found
}

/** The JSON object that a body is; null for any other. The first byte is looked at before anything is parsed. */
function objectOf(body: Uint8Array | null): (Envelope & Record<string, unknown>) | null {
  const first = body?.find((byte) => byte > 0x20)
  if (body === null || first !== OPENING_BRACE) return null
  const text = utf8OrNull(body)
  const value = text === null ? null : parsedOrNull(text)
  return isRecord(value) ? value : null
}

function isEvent(value: unknown): boolean {
  return isRecord(value) && 'specversion' in value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsedOrNull(text: string): unknown {
  try {
    return parseJson(text, 'body')
  } catch {
    return null
  }
}

function utf8OrNull(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return null
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function unpadded(text: string): string {
  return text.replace(/={0,2}$/, '')
}
