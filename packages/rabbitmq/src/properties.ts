import { isUtf8 } from 'node:buffer'
import {
  type Header,
  type HeaderValue,
  type Message,
  type MessageProperties,
  PermanentError,
} from '@throughline/core'
import type { AsyncMessage, Envelope } from 'rabbitmq-client'

/** The content header of a message (AMQP 0-9-1 §1.8, class basic) as the driver takes it: it leaves out what is undefined. */
export type ContentHeader = { readonly [Field in Fields]: Envelope[Field] | undefined }
export type ReceivedHeader = Pick<AsyncMessage, 'body'> & {
  readonly [Field in Exclude<Fields, 'contentType'>]?: AsyncMessage[Field] | undefined
}
type Fields =
  | 'contentType'
  | 'contentEncoding'
  | 'headers'
  | 'priority'
  | 'correlationId'
  | 'replyTo'
  | 'expiration'
  | 'messageId'
  | 'timestamp'

const CONTENT_ENCODING = 'content-encoding'
/** The broker's own, for each delivery: they are the delivery's attempt and offset, and no header of the message. */
const BROKER_HEADERS: ReadonlySet<string> = new Set(['x-delivery-count', 'x-stream-offset'])
/** RabbitMQ closes the channel when these are no lists (sender-selected distribution). */
const LIST_HEADERS: ReadonlySet<string> = new Set(['CC', 'BCC'])
const EVENT_TIME = /^cloudevents[:_]time$/i
const EVENT_ATTRIBUTE = /^cloudevents[:_]/i
// Class, weight, body size and flags, and of each field its type and length at most.
const CONTENT_HEADER_BYTES = 32
const FIELD_BYTES = 16

/**
 * A message's properties as AMQP has them. A header that comes more than once is a list; one whose value is bytes, which
 * the driver cannot write, is base64 under its name + `-b64`; `content-encoding` is a property of its own. The key is not
 * sent. Throws PermanentError naming what does not fit: the driver would cut it, or close the channel with all that is
 * under way on it.
 */
export function contentHeaderOf(
  { headers, contentType, properties = {} }: Message,
  frameMaxBytes: number,
): ContentHeader {
  const { messageId, correlationId, replyTo, expiryMs, timestampMs, priority } = properties
  const table = headerTable(headers)
  const contentEncoding = table[CONTENT_ENCODING]
  const isEncoded = typeof contentEncoding === 'string'
  if (isEncoded) delete table[CONTENT_ENCODING]
  const short = {
    contentType,
    contentEncoding: isEncoded ? contentEncoding : undefined,
    correlationId,
    replyTo,
    messageId,
  }
  requireFrame(short, table, frameMaxBytes)
  return {
    ...short,
    headers: headers.length === 0 ? undefined : table,
    expiration:
      expiryMs === undefined ? undefined : String(whole('expiryMs', Math.ceil(expiryMs), 2 ** 32 - 1)),
    priority: priority === undefined ? undefined : whole('priority', priority, 255),
    // Where it is not said to be none, the driver writes the current time.
    timestamp: timestampMs === undefined ? undefined : seconds(timestampMs),
  }
}

/** What a received message says. The body is what `keepBodies` left as bytes, not a copy. */
export function messageOf(received: ReceivedHeader, contentType: string | undefined): Message {
  const { headers: table = {}, contentEncoding, body } = received
  const headers: Header[] = []
  for (const name in table) {
    if (BROKER_HEADERS.has(name)) continue
    const value: unknown = table[name]
    for (const each of Array.isArray(value) ? value : [value]) headers.push([name, headerValue(name, each)])
  }
  if (contentEncoding !== undefined) headers.push([CONTENT_ENCODING, contentEncoding])
  const properties = messageProperties(received)
  return {
    body,
    headers,
    ...(contentType === undefined ? {} : { contentType }),
    ...(properties === undefined ? {} : { properties }),
  }
}

function headerTable(headers: readonly Header[]): Record<string, string | string[]> {
  // Without a prototype a header may be called `__proto__`, but then the object is slow, here and in the driver.
  const isPlain = !headers.some(([name]) => name === '__proto__')
  const table: Record<string, string | string[]> = isPlain ? {} : Object.create(null)
  for (const [header, value] of headers) {
    const isText = typeof value === 'string' && value.isWellFormed()
    const name = isText ? header : `${header}-b64`
    const text = isText ? value : Buffer.from(value).toString('base64')
    requireShort('name of a header', name)
    const before = Object.hasOwn(table, name) ? table[name] : undefined
    if (before === undefined) table[name] = LIST_HEADERS.has(name) ? [text] : text
    else if (typeof before === 'string') table[name] = [before, text]
    else before.push(text)
  }
  return table
}

type Short = Readonly<Record<string, string | undefined>>
type Table = Readonly<Record<string, string | readonly string[]>>

function requireFrame(short: Short, table: Table, frameMaxBytes: number): void {
  for (const name in short) {
    const text = short[name]
    if (text !== undefined) requireShort(name, text)
  }
  // Most need not be counted to know it: a UTF-16 unit takes three bytes of UTF-8 at most.
  if (headerBytes(short, table, (text) => text.length * 3) <= frameMaxBytes) return
  const bytes = headerBytes(short, table, Buffer.byteLength)
  if (bytes <= frameMaxBytes) return
  throw new PermanentError(
    `the headers take ${bytes} bytes and have to fit into one frame of ${frameMaxBytes} bytes (frameMaxBytes)`,
    { code: 'TL_TOO_LARGE' },
  )
}

function headerBytes(short: Short, table: Table, bytesOf: (text: string) => number): number {
  let bytes = CONTENT_HEADER_BYTES
  for (const name in short) {
    const text = short[name]
    if (text !== undefined) bytes += FIELD_BYTES + bytesOf(text)
  }
  for (const name in table) {
    const value = table[name] ?? []
    bytes += FIELD_BYTES + bytesOf(name)
    if (typeof value === 'string') bytes += FIELD_BYTES + bytesOf(value)
    else for (const text of value) bytes += FIELD_BYTES + bytesOf(text)
  }
  return bytes
}

/** AMQP's types as text; bytes that are UTF-8 are text too. */
function headerValue(name: string, value: unknown): HeaderValue {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (value instanceof Uint8Array)
    return bytesValue(name, Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  // The driver reads a timestamp as the number of its seconds.
  if (typeof value === 'number' && EVENT_TIME.test(name)) return timeText(value)
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}

function bytesValue(name: string, bytes: Buffer): HeaderValue {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  // CloudEvents 1.0.2 §2.4: an attribute's bytes as text.
  return EVENT_ATTRIBUTE.test(name) ? bytes.toString('base64') : bytes
}

/** RFC 3339, or the number where it is none that a date can have. */
function timeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}

function messageProperties(from: ReceivedHeader): MessageProperties | undefined {
  const { messageId, correlationId, replyTo, expiration, timestamp, priority } = from
  const isPlain =
    (messageId ?? correlationId ?? replyTo ?? expiration ?? timestamp ?? priority ?? undefined) === undefined
  if (isPlain) return undefined
  const expiryMs = expiration !== undefined && /^\d{1,10}$/.test(expiration) ? Number(expiration) : undefined
  const properties = defined({
    messageId,
    correlationId,
    replyTo,
    expiryMs,
    timestampMs: timestamp === undefined ? undefined : timestamp * 1000,
    priority,
  })
  return Object.keys(properties).length === 0 ? undefined : properties
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined: an absent property and an empty one are different things on the wire. */
function defined<T extends object>(values: T): Defined<T> {
  // Entries lose the type of each member; only members were left out.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}

/** AMQP's short strings have at most 255 bytes; the driver cuts longer ones. */
function requireShort(what: string, text: string): void {
  if (text.length * 3 <= 255 || Buffer.byteLength(text) <= 255) return
  const shown = JSON.stringify(`${text.slice(0, 64)}…`)
  throw new PermanentError(`the ${what} ${shown} has more than the 255 bytes that AMQP allows`)
}

function seconds(timestampMs: number): number {
  return whole('timestampMs', Math.floor(timestampMs / 1000), Number.MAX_SAFE_INTEGER)
}

function whole(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new PermanentError(`the property ${name} must be from 0 to ${max}, is ${value}`)
}
