import {
  type Header,
  type HeaderValue,
  headerText,
  isContextHeader,
  type Message,
  type MessageProperties,
  SENT_AT_HEADER,
  textOf,
} from '@throughline/core'
import { faultOfMqttTopic } from './template.ts'

/** `messaging.system` of the transports whose headers are known here. */
export type System = 'http' | 'kafka' | 'mqtt' | 'rabbitmq'

/**
 * Headers that no route passes on, whatever its configuration: secrets of the hop they came over, and what describes
 * that hop alone (RFC 9110 §7.6.1). In lower case.
 */
export const NEVER_PASSED: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-connection',
  'www-authenticate',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'host',
  'expect',
  SENT_AT_HEADER,
  'throughline-attempt-of',
  'throughline-replay',
])

/** What attributes' headers begin with in each binding. MQTT 5 has bare names (§3.1.3). */
const ATTRIBUTE_PREFIX: Readonly<Record<System, string>> = {
  http: 'ce-',
  kafka: 'ce_',
  mqtt: '',
  rabbitmq: 'cloudEvents:',
}

/** The header that carries an attribute in binary mode. */
export function attributeHeader(system: System, attribute: string): string {
  return ATTRIBUTE_PREFIX[system] + attribute
}

/** Whether a header carries an attribute of the event: it is part of the event, never a header beside it. */
function isAttribute(system: System, name: string): boolean {
  // MQTT has the bare names, so that case tells `deviceId`, a property beside the event, from an attribute.
  if (system === 'mqtt') return /^[a-z0-9]+$/.test(name)
  // Both separators are in use (AMQP binding §3.1.3.1).
  if (system === 'rabbitmq') return /^cloudevents[:_]/i.test(name)
  return name.toLowerCase().startsWith(ATTRIBUTE_PREFIX[system])
}

/** Names that a transport cannot carry. */
const NAME_ALLOWED: Readonly<Record<System, (name: string) => boolean>> = {
  http: (name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name),
  kafka: () => true,
  mqtt: isMqttText,
  // A short string of AMQP 0-9-1 §4.2.5.3.
  rabbitmq: (name) => name.isWellFormed() && Buffer.byteLength(name) <= 255,
}

const VALUE_ALLOWED: Readonly<Record<System, (value: HeaderValue) => boolean>> = {
  // RFC 9110 §5.5, without the obsolete octets that receivers read differently, and without edges that are trimmed.
  http: (value) =>
    typeof value === 'string' && /^(?:[\u0021-\u007e](?:[\t\u0020-\u007e]*[\u0021-\u007e])?)?$/.test(value),
  kafka: () => true,
  mqtt: (value) => typeof value === 'string' && isMqttText(value),
  rabbitmq: (value) => typeof value === 'string' && value.isWellFormed(),
}

/** MQTT 5 §1.5.4: well-formed UTF-8 without NUL, at most 65,535 bytes. */
function isMqttText(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0') && Buffer.byteLength(value) <= 65_535
}

export interface HeaderRules {
  readonly from: System
  readonly to: System
  /** Lower-case names that may pass from HTTP; between brokers all do. */
  readonly allowed: ReadonlySet<string>
  /** On a raw route headers that look like attributes are headers like all others. */
  readonly raw: boolean
  /** Whether a trace context that arrived may travel on where no tracing of our own replaces it. */
  readonly context: boolean
}

export interface PassedHeaders {
  readonly headers: readonly Header[]
  /** Names of those that the target has no way to carry. */
  readonly dropped: readonly string[]
}

/**
 * The headers beside the event that travel on from one transport to another. What the target cannot express goes in
 * base64 under the name + `-b64`, where such a name is possible, else it is dropped.
 */
export function passHeaders(headers: readonly Header[], rules: HeaderRules): PassedHeaders {
  const passed: Header[] = []
  const dropped: string[] = []
  for (const header of headers) {
    if (!mayPass(header[0], rules)) continue
    const written = express(header, rules)
    if (written === null) dropped.push(header[0])
    else passed.push(written)
  }
  return { headers: passed, dropped }
}

function mayPass(written: string, { from, raw, allowed, context }: HeaderRules): boolean {
  const name = written.toLowerCase()
  if (isContextHeader(name)) return context
  if (NEVER_PASSED.has(name) || name === 'content-type') return false
  if (!raw && isAttribute(from, written)) return false
  return from !== 'http' || allowed.has(name)
}

function express([name, value]: Header, { to, raw }: HeaderRules): Header | null {
  const possible = (candidate: string) =>
    NAME_ALLOWED[to](candidate) && (raw || isContextHeader(candidate) || !isAttribute(to, candidate))
  const plain = to === 'kafka' ? value : asText(value)
  if (possible(name) && VALUE_ALLOWED[to](plain)) return [name, plain]
  const encoded = `${name}-b64`
  return name !== '' && possible(encoded) ? [encoded, base64(value)] : null
}

/** Bytes that are UTF-8 as text, others as they are. */
function asText(value: HeaderValue): HeaderValue {
  if (typeof value === 'string') return value
  const text = textOf(value)
  return Buffer.from(text).equals(value) ? text : value
}

function base64(value: HeaderValue): string {
  return Buffer.from(typeof value === 'string' ? value : Buffer.from(value)).toString('base64')
}

/**
 * The properties of a message that travel on: as the property where a transport has it (`native`, with its name there),
 * else as a header. Those without a header's name travel only where both sides have them: an expiry means nothing after
 * a wait elsewhere. Not here: the content type, which the binding writes and raw messages keep.
 */
export const PROPERTIES = {
  messageId: { header: 'message-id', native: { rabbitmq: 'message_id' } },
  correlationId: {
    header: 'correlation-id',
    native: { mqtt: 'Correlation Data', rabbitmq: 'correlation_id' },
  },
  replyTo: { header: 'reply-to', native: { mqtt: 'Response Topic', rabbitmq: 'reply_to' } },
  expiryMs: { header: null, native: { mqtt: 'Message Expiry Interval', rabbitmq: 'expiration' } },
  timestampMs: { header: null, native: { rabbitmq: 'timestamp' } },
  priority: { header: null, native: { rabbitmq: 'priority' } },
} as const satisfies Partial<Record<keyof MessageProperties, TransportProperty>>

/** Where a property of a message is, and what it is called there. */
export interface TransportProperty {
  readonly header: string | null
  readonly native: Readonly<Partial<Record<System, string>>>
}

export interface PassedOn extends PassedHeaders {
  readonly properties: MessageProperties | undefined
}

/** The headers and properties of a message that travel on beside its event, or beside its bytes on a raw route. */
export function passOn({ headers, properties = {} }: Message, rules: HeaderRules): PassedOn {
  const written: Header[] = []
  const read = new Set<string>()

  /** As the property where the target has one that can hold it, else as a header. */
  function textProperty(name: 'messageId' | 'correlationId' | 'replyTo'): MessageProperties {
    const { header }: TransportProperty & { readonly header: string } = PROPERTIES[name]
    const value = properties[name] ?? (mayPass(header, rules) ? headerText(headers, header) : null)
    if (value === null) return {}
    if (isNative(name, rules.to) && fitsProperty(name, value, rules.to)) {
      read.add(header)
      return { [name]: value }
    }
    if (properties[name] !== undefined) {
      read.add(header)
      written.push([header, value])
    }
    return {}
  }

  function numberProperty(name: 'expiryMs' | 'timestampMs' | 'priority'): MessageProperties {
    const value = isNative(name, rules.to) ? properties[name] : undefined
    return value === undefined ? {} : { [name]: value }
  }

  const kept: MessageProperties = {
    ...textProperty('messageId'),
    ...textProperty('correlationId'),
    ...textProperty('replyTo'),
    ...numberProperty('expiryMs'),
    ...numberProperty('timestampMs'),
    ...numberProperty('priority'),
  }
  const beside = headers.filter(([name]) => !read.has(name.toLowerCase()))
  return {
    ...passHeaders([...beside, ...written], rules),
    properties: Object.keys(kept).length === 0 ? undefined : kept,
  }
}

/** What a property of the target cannot hold stays a header: it must not cost the event. */
function fitsProperty(name: keyof MessageProperties, value: string, to: System): boolean {
  if (to === 'rabbitmq') return value.isWellFormed() && Buffer.byteLength(value) <= 255
  return isMqttText(value) && (name !== 'replyTo' || faultOfMqttTopic(value) === null)
}

function isNative(property: keyof typeof PROPERTIES, system: System): boolean {
  const { native }: TransportProperty = PROPERTIES[property]
  return native[system] !== undefined
}
