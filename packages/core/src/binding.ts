import { attributeText } from './attribute.ts'
import { decodeData, encodeData, isJsonType, mediaTypeOf } from './data.ts'
import { InvalidEventError, UnsupportedContentTypeError } from './errors.ts'
import { type AttributeValue, type CloudEvent, validateEvent } from './event.ts'
import { decodeJsonEvent, encodeJsonEvent, STRUCTURED_JSON, STRUCTURED_JSON_UTF8 } from './json.ts'
import { type Header, type Message, textOf } from './message.ts'
import { SENT_AT_HEADER } from './tracing/headers.ts'

/** How an event is laid into one message. Batched mode has many events in one message and a call of its own. */
export type ContentMode = 'binary' | 'structured'

/** How one event is to be laid into a message. */
export interface EncodeOptions {
  readonly mode: ContentMode
  /** Order key; default: the event's `partitionkey`. */
  readonly key?: string | Uint8Array
}

/** A CloudEvents protocol binding: between events and one transport's messages. */
export interface Binding {
  /** Throws InvalidEventError when the event is not valid. Adds no attribute and drops none. */
  encode(event: CloudEvent, options: EncodeOptions): Message
  /**
   * Reads either mode, and a structured event without a content type (a JSON object with `specversion`).
   * Throws InvalidEventError or UnsupportedContentTypeError; never anything else, whatever the bytes.
   */
  decode(message: Message): CloudEvent
  /** True when the message says that it carries an event, valid or not. */
  isEvent(message: Message): boolean
}

/** What differs between the bindings: how an attribute becomes a header. */
export interface BindingRules {
  /** For error texts: `CloudEvents Kafka binding 1.0.2`. */
  readonly specification: string
  /** The header for an attribute, as written. */
  headerName(attribute: string): string
  /** The attribute of a header, its name in the case it came in; null for a header that is none. */
  attributeName(header: string): string | null
  /** An attribute's text as the header's. */
  encodeValue(text: string): string
  /** May throw InvalidEventError. */
  decodeValue(text: string, attribute: string): string
  /** Whether no data is no body (Kafka's null value), or an empty one. */
  readonly absentBody: null | Uint8Array
  /**
   * Whether a structured event is also recognised under another content type than JSON: that of its data, where senders
   * of this transport are known to write it. Default false: over HTTP it would take posts that any web page can make.
   */
  readonly anyTypeMayBeStructured?: boolean
  /** Forces structured mode for events that this transport's binary mode cannot tell apart (MQTT 5). */
  mustBeStructured?(event: CloudEvent): boolean
}

/** What every event format's media type begins with, batches included. */
const EVENT_TYPES = 'application/cloudevents'

const USUAL_ATTRIBUTES = [
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'dataschema',
  'partitionkey',
]
const USUAL_HEADERS = ['traceparent', 'tracestate', 'baggage', SENT_AT_HEADER]

/** A binding from its rules. Modes and their order of precedence are those of every binding's §3 (structured by content type first). */
export function createBinding(rules: BindingRules): Binding {
  // Asked for once and not at each message: nearly all headers have one of these names, spelled as it is written here.
  const headerNames = new Map(USUAL_ATTRIBUTES.map((name) => [name, rules.headerName(name)]))
  const attributeNames = new Map(
    [...headerNames.values(), ...USUAL_HEADERS].map((header) => [header, rules.attributeName(header)]),
  )

  function encode(event: CloudEvent, { mode, key = keyOf(event) }: EncodeOptions): Message {
    if (mode === 'structured' || carriesEvents(event) || rules.mustBeStructured?.(event)) {
      const keyed = key === undefined ? {} : { key }
      return { body: encodeJsonEvent(event), headers: [], contentType: STRUCTURED_JSON_UTF8, event, ...keyed }
    }
    validateEvent(event)
    const headers: Header[] = []
    for (const name in event) {
      const value = event[name]
      if (value === undefined || name === 'data' || name === 'datacontenttype') continue
      // Just validated: all others are context attributes.
      const text = attributeText(value as AttributeValue)
      headers.push([headerNames.get(name) ?? rules.headerName(name), rules.encodeValue(text)])
    }
    // JSON is the default type of data that is a value; bytes without a type stay without one.
    const type = event.datacontenttype ?? (needsJsonType(event.data) ? 'application/json' : undefined)
    const body = encodeData(event.data, type) ?? rules.absentBody
    const message: Message =
      type === undefined ? { body, headers, event } : { body, headers, event, contentType: type }
    return key === undefined ? message : { ...message, key }
  }

  function decode(message: Message): CloudEvent {
    const mediaType = message.contentType === undefined ? undefined : mediaTypeOf(message.contentType)
    if (mediaType?.startsWith(EVENT_TYPES)) {
      if (mediaType === STRUCTURED_JSON) return decodeJsonEvent(message.body ?? new Uint8Array())
      throw new UnsupportedContentTypeError(message.contentType ?? '', STRUCTURED_JSON)
    }
    const attributes = binaryAttributes(message.headers)
    if (attributes === null || (!('specversion' in attributes) && looksStructured(message))) {
      return decodeUnmarked(message)
    }
    const { contentType } = message
    if (contentType !== undefined) attributes.datacontenttype = contentType
    validateEvent(attributes)
    const data = decodeData(message.body, contentType)
    return data === undefined ? attributes : Object.assign(attributes, { data })
  }

  /** Hand-written producers send a structured event with no content type, or as plain JSON. */
  function decodeUnmarked(message: Message): CloudEvent {
    if (looksStructured(message)) return decodeJsonEvent(message.body)
    if (message.contentType !== undefined && !isJsonType(message.contentType)) {
      throw new UnsupportedContentTypeError(
        message.contentType,
        `${STRUCTURED_JSON} or the attributes as headers`,
      )
    }
    throw new InvalidEventError(
      'specversion',
      rules.specification,
      `is required and missing: the message has no ${rules.headerName('specversion')} and is not ${STRUCTURED_JSON}`,
    )
  }

  function looksStructured(message: Message): message is Message & { readonly body: Uint8Array } {
    const { contentType } = message
    const mayBe = contentType === undefined || rules.anyTypeMayBeStructured || isJsonType(contentType)
    return mayBe && hasStructuredBody(message)
  }

  /** Null when no header at all is an attribute. */
  function binaryAttributes(headers: readonly Header[]): Record<string, unknown> | null {
    let attributes: Record<string, unknown> | null = null
    for (const [header, value] of headers) {
      const known = attributeNames.get(header)
      const name = known === undefined ? rules.attributeName(header) : known
      if (name === null || name === 'datacontenttype' || name === 'data') continue
      attributes ??= {}
      // Of a repeated attribute the first counts.
      if (Object.hasOwn(attributes, name)) continue
      const text = rules.decodeValue(textOf(value), name)
      // An own member like any other, which fails validation; assigning it would change the object's prototype.
      if (name === '__proto__') Object.defineProperty(attributes, name, { value: text, enumerable: true })
      else attributes[name] = text
    }
    return attributes
  }

  function isEvent(message: Message): boolean {
    if (message.contentType !== undefined && mediaTypeOf(message.contentType).startsWith(EVENT_TYPES))
      return true
    const marker = rules.headerName('specversion').toLowerCase()
    const isMarked = message.headers.some(
      ([name]) => name.toLowerCase() === marker || rules.attributeName(name) === 'specversion',
    )
    return isMarked || looksStructured(message)
  }

  return { encode, decode, isEvent }
}

function keyOf(event: CloudEvent): string | undefined {
  return typeof event.partitionkey === 'string' ? event.partitionkey : undefined
}

/** Events as data: in binary mode their type would be the message's, which then is taken for the inner event (§3 of every binding). */
function carriesEvents({ datacontenttype }: CloudEvent): boolean {
  return typeof datacontenttype === 'string' && mediaTypeOf(datacontenttype).startsWith(EVENT_TYPES)
}

function needsJsonType(data: unknown): boolean {
  return data !== undefined && !(data instanceof Uint8Array)
}

const BRACE = 0x7b

/** A JSON object with a `specversion` member. The bytes are searched before anything is parsed: most messages have neither. */
function hasStructuredBody({ body }: Message): boolean {
  if (body === null) return false
  const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  let start = 0
  while (start < view.length && (view[start] ?? 0) <= 0x20) start++
  return view[start] === BRACE && view.includes('"specversion"')
}
