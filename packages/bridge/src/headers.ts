import {
  type Header,
  type HeaderValue,
  isContextHeader,
  type MessageProperties,
  SENT_AT_HEADER,
  textOf,
} from '@throughline/core'

/** `messaging.system` of the transports whose headers are known here. */
export type System = 'http' | 'kafka' | 'mqtt'

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

/** Whether a header carries an attribute of the event in this transport's binding: it is part of the event, never a header beside it. */
const IS_ATTRIBUTE: Readonly<Record<System, (name: string) => boolean>> = {
  http: (name) => name.startsWith('ce-'),
  kafka: (name) => name.startsWith('ce_'),
  // MQTT 5 binding §3.1.3: bare names.
  mqtt: (name) => /^[a-z0-9]+$/.test(name),
}

/** Names that a transport cannot carry. */
const NAME_ALLOWED: Readonly<Record<System, (name: string) => boolean>> = {
  http: (name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name),
  kafka: () => true,
  mqtt: isMqttText,
}

const VALUE_ALLOWED: Readonly<Record<System, (value: HeaderValue) => boolean>> = {
  // RFC 9110 §5.5, without the obsolete octets that receivers read differently, and without edges that are trimmed.
  http: (value) =>
    typeof value === 'string' && /^(?:[\u0021-\u007e](?:[\t\u0020-\u007e]*[\u0021-\u007e])?)?$/.test(value),
  kafka: () => true,
  mqtt: (value) => typeof value === 'string' && isMqttText(value),
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
    if (!mayPass(header[0].toLowerCase(), rules)) continue
    const written = express(header, rules)
    if (written === null) dropped.push(header[0])
    else passed.push(written)
  }
  return { headers: passed, dropped }
}

function mayPass(name: string, { from, raw, allowed, context }: HeaderRules): boolean {
  if (isContextHeader(name)) return context
  if (NEVER_PASSED.has(name) || name === 'content-type') return false
  if (!raw && IS_ATTRIBUTE[from](name)) return false
  return from !== 'http' || allowed.has(name) || (raw && IS_ATTRIBUTE.http(name) && allowed.has(name))
}

function express([name, value]: Header, { to, raw }: HeaderRules): Header | null {
  const possible = (candidate: string) =>
    NAME_ALLOWED[to](candidate) &&
    (raw || isContextHeader(candidate) || !IS_ATTRIBUTE[to](candidate.toLowerCase()))
  const plain = to === 'kafka' ? value : asText(value)
  if (possible(name) && VALUE_ALLOWED[to](plain)) return [name, plain]
  const encoded = `${name}-b64`
  return possible(encoded) ? [encoded, base64(value)] : null
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
 * Which properties a message has in each transport, and as what. A property travels on where the target has it.
 * Content type is not here: the binding writes it, and raw messages keep theirs.
 */
export const PROPERTIES: Readonly<
  Record<System, Readonly<Partial<Record<keyof MessageProperties, string>>>>
> = {
  http: {},
  kafka: { timestampMs: 'record timestamp' },
  mqtt: { correlationId: 'Correlation Data', replyTo: 'Response Topic', expiryMs: 'Message Expiry Interval' },
}

/** The properties of a message that its target has too; undefined where none is left. */
export function passProperties(
  { timestampMs, correlationId, replyTo, expiryMs, messageId, priority }: MessageProperties,
  to: System,
): MessageProperties | undefined {
  const has = PROPERTIES[to]
  const passed: MessageProperties = {
    ...(messageId !== undefined && has.messageId ? { messageId } : {}),
    ...(correlationId !== undefined && has.correlationId ? { correlationId } : {}),
    ...(replyTo !== undefined && has.replyTo ? { replyTo } : {}),
    ...(expiryMs !== undefined && has.expiryMs ? { expiryMs } : {}),
    ...(timestampMs !== undefined && has.timestampMs ? { timestampMs } : {}),
    ...(priority !== undefined && has.priority ? { priority } : {}),
  }
  return Object.keys(passed).length === 0 ? undefined : passed
}
