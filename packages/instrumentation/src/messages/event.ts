import { type CloudEvent, type Header, textOf } from '@throughline/core'

/** How a transport writes an attribute's header: `ce_`, `cloudEvents:` or `cloudEvents_`, or nothing before its name. */
export interface EventHeaders {
  /** In lower case. Where there is none, a `traceparent` is the hop's context and no attribute. */
  readonly prefixes: readonly string[]
}

/** Attributes of an event, as far as spans tell of them. */
interface Attributes {
  id?: string
  source?: string
  type?: string
  specversion?: string
  subject?: string
  time?: string
  traceparent?: string
}

/**
 * The event that a message is, as far as spans tell of it: the CloudEvents attributes of its headers (binary mode), or of
 * the JSON object in its body (structured). Undefined for any other message. Nothing is validated: an instrumentation
 * tells what is there.
 */
export function eventOf(
  headers: readonly Header[],
  contentType: string | undefined,
  body: Uint8Array | null,
  prefixes: EventHeaders,
): CloudEvent | undefined {
  return eventInHeaders(headers, prefixes) ?? eventInBody(contentType, body)
}

/** Of a message in binary mode. */
export function eventInHeaders(
  headers: readonly Header[],
  { prefixes }: EventHeaders,
): CloudEvent | undefined {
  let attributes: Attributes | undefined
  for (const [header, value] of headers) {
    const name = attributeOf(header, prefixes)
    if (name === undefined) continue
    attributes ??= {}
    attributes[name] = textOf(value)
  }
  return attributes === undefined ? undefined : complete(attributes)
}

function attributeOf(header: string, prefixes: readonly string[]): keyof Attributes | undefined {
  for (const prefix of prefixes) {
    if (!startsWith(header, prefix)) continue
    const name = header.slice(prefix.length).toLowerCase()
    return isTold(name) && !(prefix === '' && name === 'traceparent') ? name : undefined
  }
  return undefined
}

/** Compared without case; most headers differ in their first letter. */
function startsWith(header: string, prefix: string): boolean {
  if (header.startsWith(prefix)) return true
  return (header.charCodeAt(0) | 0x20) === prefix.charCodeAt(0) && header.toLowerCase().startsWith(prefix)
}

function isTold(name: string): name is keyof Attributes {
  switch (name) {
    case 'id':
    case 'source':
    case 'type':
    case 'specversion':
    case 'subject':
    case 'time':
    case 'traceparent':
      return true
    default:
      return false
  }
}

const STRUCTURED = 'application/cloudevents+json'
/** Larger ones are not parsed for a span's sake. */
const MAX_STRUCTURED_BYTES = 256 * 1024
const utf8 = new TextDecoder()

/** Of a message in structured mode; also where its producer wrote no content type. It costs the parsing of the body. */
export function eventInBody(
  contentType: string | undefined,
  body: Uint8Array | null,
): CloudEvent | undefined {
  if (body === null || body.byteLength > MAX_STRUCTURED_BYTES) return undefined
  const isStructured =
    contentType === undefined ? looksStructured(body) : contentType.toLowerCase().startsWith(STRUCTURED)
  if (!isStructured) return undefined
  try {
    const value: unknown = JSON.parse(utf8.decode(body))
    return typeof value === 'object' && value !== null ? complete(value) : undefined
  } catch {
    return undefined
  }
}

/** A JSON object that speaks of a `specversion`. */
function looksStructured(body: Uint8Array): boolean {
  return (
    body[0] === '{'.charCodeAt(0) &&
    Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('"specversion"')
  )
}

function complete(attributes: { readonly [Name in keyof Attributes]?: unknown }): CloudEvent | undefined {
  const { id, source, type, specversion, subject, time, traceparent } = attributes
  if (typeof id !== 'string' || typeof source !== 'string' || typeof type !== 'string') return undefined
  if (specversion !== '1.0') return undefined
  const event: { -readonly [Name in keyof CloudEvent]: CloudEvent[Name] } = { specversion, id, source, type }
  if (typeof subject === 'string') event.subject = subject
  if (typeof time === 'string') event.time = time
  if (typeof traceparent === 'string') event.traceparent = traceparent
  return event
}
