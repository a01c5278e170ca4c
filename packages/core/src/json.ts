import { decodeText, isJsonType, parseJson, stringifyJson } from './data.ts'
import { InvalidEventError } from './errors.ts'
import { type CloudEvent, validateEvent } from './event.ts'

/** `application/cloudevents+json`, of structured mode (JSON event format 1.0.2 §3). */
export const STRUCTURED_JSON = 'application/cloudevents+json'
/** With the charset, as every binding's examples write it. */
export const STRUCTURED_JSON_UTF8 = 'application/cloudevents+json; charset=utf-8'

/** `application/cloudevents-batch+json` (JSON event format 1.0.2 §4). */
export const JSON_BATCH = 'application/cloudevents-batch+json'
/** With the charset, as the HTTP binding's examples write it. */
export const JSON_BATCH_UTF8 = 'application/cloudevents-batch+json; charset=utf-8'

const SECTION = 'CloudEvents JSON event format 1.0.2 §3'
const BATCH_SECTION = 'CloudEvents JSON event format 1.0.2 §4'
const encoder = new TextEncoder()

/**
 * An event from the bytes of its JSON form. Members that are null are absent attributes (§2.2).
 * Throws InvalidEventError: not JSON, not an object, an invalid attribute, both `data` and `data_base64`.
 */
export function decodeJsonEvent(body: Uint8Array): CloudEvent {
  return eventFromJson(parseJson(decodeText(body, 'body'), 'body'))
}

/** The same from a value that has already been parsed: one member of a batch. */
export function eventFromJson(value: unknown): CloudEvent {
  if (!isRecord(value)) throw new InvalidEventError('body', SECTION, 'must be a JSON object')
  const event: Record<string, unknown> = {}
  for (const name in value) {
    if (name === 'data' || name === 'data_base64' || value[name] === null) continue
    // An own member like any other, which fails validation; assigning it would change the object's prototype.
    if (name === '__proto__') Object.defineProperty(event, name, { value: value[name], enumerable: true })
    else event[name] = value[name]
  }
  const hasData = 'data' in value
  const base64 = value.data_base64 ?? undefined
  if (hasData && base64 !== undefined) {
    throw new InvalidEventError('data_base64', `${SECTION}.1`, 'must not be there beside data')
  }
  if (base64 !== undefined) event.data = decodeBase64(base64)
  else if (hasData) event.data = value.data
  validateEvent(event)
  return event
}

/**
 * The members of a JSON batch (JSON event format 1.0.2 §4), each the bytes of its JSON as they came; none for an empty
 * one. They are read as events one by one, by `decodeJsonEvent`, so that one that is not valid spoils no other.
 * Throws InvalidEventError for `body` when it is no JSON array.
 */
export function splitJsonBatch(body: Uint8Array): readonly Uint8Array[] {
  const text = decodeText(body, 'body')
  if (!Array.isArray(parseJson(text, 'body'))) {
    throw new InvalidEventError('body', `${BATCH_SECTION}.1`, 'must be a JSON array')
  }
  const members: Uint8Array[] = []
  let depth = 0
  let start = 0
  const add = (end: number) => {
    const member = trimmed(body, start, end)
    if (member.byteLength > 0) members.push(member)
    start = end + 1
  }
  // Valid JSON by now: brackets match, strings end. Bytes of other characters are none of these.
  for (let i = 0; i < body.byteLength; i++) {
    const byte = body[i]
    if (byte === QUOTE) i = closingQuote(body, i)
    else if (byte === ARRAY || byte === OBJECT) {
      if (depth++ === 0) start = i + 1
    } else if (byte === COMMA) {
      if (depth === 1) add(i)
    } else if (byte === ARRAY_END || byte === OBJECT_END) {
      if (--depth === 0) add(i)
    }
  }
  return members
}

const [QUOTE, COMMA, BACKSLASH, ARRAY, ARRAY_END, OBJECT, OBJECT_END] = Buffer.from('",\\[]{}')

function closingQuote(body: Uint8Array, opening: number): number {
  let i = opening + 1
  while (i < body.byteLength && body[i] !== QUOTE) i += body[i] === BACKSLASH ? 2 : 1
  return i
}

/** Without JSON's white space, which is all that is not above U+0020. */
function trimmed(body: Uint8Array, start: number, end: number): Uint8Array {
  let [from, to] = [start, end]
  while (from < to && (body[from] ?? 0) <= 0x20) from++
  while (to > from && (body[to - 1] ?? 0) <= 0x20) to--
  return body.subarray(from, to)
}

/** The bytes of a JSON batch of events in their JSON form. */
export function joinJsonBatch(events: readonly Uint8Array[]): Uint8Array {
  const parts = events.flatMap((event, index) => [encoder.encode(index === 0 ? '[' : ','), event])
  return Buffer.concat([...(parts.length === 0 ? [encoder.encode('[')] : parts), encoder.encode(']')])
}

/** The bytes of an event's JSON form. Throws InvalidEventError. */
export function encodeJsonEvent(event: CloudEvent): Uint8Array {
  validateEvent(event)
  const { data, ...attributes } = event
  const json: Record<string, unknown> = {}
  for (const name in attributes) {
    const value = attributes[name]
    if (value !== undefined)
      json[name] = value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
  }
  if (data instanceof Uint8Array) {
    // Bytes whose type is JSON are the JSON value itself: written as such, so that the other side reads a value.
    const type = event.datacontenttype
    if (type !== undefined && isJsonType(type)) json.data = parseJson(decodeText(data, 'data'), 'data')
    else json.data_base64 = Buffer.from(data).toString('base64')
  } else if (data !== undefined) json.data = data
  return encoder.encode(stringifyJson(json))
}

function decodeBase64(value: unknown): Uint8Array {
  const valid =
    typeof value === 'string' &&
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(value)
  if (!valid) throw new InvalidEventError('data_base64', `${SECTION}.1`, 'must be a base64 string')
  return new Uint8Array(Buffer.from(value, 'base64'))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
