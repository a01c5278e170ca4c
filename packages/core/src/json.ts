import { decodeText, isJsonType, parseJson, stringifyJson } from './data.ts'
import { InvalidEventError } from './errors.ts'
import { type CloudEvent, validateEvent } from './event.ts'

/** `application/cloudevents+json`, of structured mode (JSON event format 1.0.2 §3). */
export const STRUCTURED_JSON = 'application/cloudevents+json'
/** With the charset, as every binding's examples write it. */
export const STRUCTURED_JSON_UTF8 = 'application/cloudevents+json; charset=utf-8'

const SECTION = 'CloudEvents JSON event format 1.0.2 §3'
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
    if (name !== 'data' && name !== 'data_base64' && value[name] !== null) event[name] = value[name]
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
