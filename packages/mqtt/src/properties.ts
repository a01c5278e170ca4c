import {
  type Header,
  type HeaderValue,
  type Message,
  type MessageProperties,
  PermanentError,
} from '@throughline/core'
import type { IPublishPacket } from 'mqtt'
import { isMqttText, MAX_STRING_BYTES } from './text.ts'
import { validateTopic } from './topic.ts'

type PublishProperties = NonNullable<IPublishPacket['properties']>

const MAX_EXPIRY_SECONDS = 2 ** 32 - 1
/** Correlation data that is not text, which MessageProperties cannot hold. */
const CORRELATION_BYTES_HEADER = 'correlation-data-b64'
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The properties of the PUBLISH that carries a message (MQTT 5 §3.3.2.3). Headers become user properties; one whose
 * value is bytes, or text that MQTT forbids, is base64 under its name + `-b64`. Key, message id, timestamp and priority
 * have no MQTT property and are not sent. Throws PermanentError naming what does not fit.
 */
export function propertiesOf({ headers, contentType, properties }: Message): PublishProperties {
  const { correlationId, replyTo, expiryMs } = properties ?? {}
  if (contentType !== undefined) requireString('content type', contentType)
  if (correlationId !== undefined) requireString('correlation id', correlationId)
  if (replyTo !== undefined) validateTopic(replyTo)
  return {
    ...(headers.length === 0 ? {} : { userProperties: userProperties(headers) }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(correlationId === undefined ? {} : { correlationData: Buffer.from(correlationId) }),
    ...(replyTo === undefined ? {} : { responseTopic: replyTo }),
    ...(expiryMs === undefined ? {} : { messageExpiryInterval: expirySeconds(expiryMs) }),
  }
}

/** What a received PUBLISH says, as a message. The body is the packet's own bytes, not a copy. */
export function messageOf({ payload, properties = {} }: IPublishPacket): Message {
  const { userProperties = {}, contentType } = properties
  const headers: Header[] = []
  for (const name in userProperties) {
    const value = userProperties[name]
    if (value === undefined) continue
    if (typeof value === 'string') headers.push([name, value])
    else for (const each of value) headers.push([name, each])
  }
  const mapped = messageProperties(properties, headers)
  return {
    body: typeof payload === 'string' ? Buffer.from(payload) : payload,
    headers,
    ...(contentType === undefined ? {} : { contentType }),
    ...(mapped === undefined ? {} : { properties: mapped }),
  }
}

/** MQTT.js holds user properties by name: repeated values keep their order, names that are integers come first. */
function userProperties(headers: readonly Header[]): Record<string, string | string[]> {
  // Without a prototype a header may be called `__proto__`, but then the object is slow, here and in MQTT.js.
  const isPlain = !headers.some(([name]) => name === '__proto__')
  const byName: Record<string, string | string[]> = isPlain ? {} : Object.create(null)
  for (const [header, value] of headers) {
    const text = textOrNull(value)
    const name = text === null ? `${header}-b64` : header
    requireString('header name', name)
    const written = text ?? Buffer.from(value).toString('base64')
    if (isTooLong(written)) tooLong(`header ${JSON.stringify(header.slice(0, 64))}`)
    const before = Object.hasOwn(byName, name) ? byName[name] : undefined
    if (before === undefined) byName[name] = written
    else if (typeof before === 'string') byName[name] = [before, written]
    else before.push(written)
  }
  return byName
}

/** Null for bytes, and text that a broker may refuse. */
function textOrNull(value: HeaderValue): string | null {
  return typeof value === 'string' && isMqttText(value) ? value : null
}

function requireString(what: string, text: string): void {
  if (!isMqttText(text))
    throw new PermanentError(
      `the ${what} has a control character or half a surrogate pair, which MQTT forbids`,
    )
  if (isTooLong(text)) tooLong(what)
}

/** A UTF-16 unit takes three bytes of UTF-8 at most: short strings need not be counted. */
function isTooLong(text: string): boolean {
  return text.length * 3 > MAX_STRING_BYTES && Buffer.byteLength(text) > MAX_STRING_BYTES
}

function tooLong(what: string): never {
  throw new PermanentError(`the ${what} is longer than the ${MAX_STRING_BYTES} bytes that MQTT allows`)
}

/** Whole seconds, rounded up: 0 would mean either at once or never, depending on the broker. */
function expirySeconds(expiryMs: number): number {
  return Math.min(MAX_EXPIRY_SECONDS, Math.max(1, Math.ceil(expiryMs / 1000)))
}

function messageProperties(from: PublishProperties, headers: Header[]): MessageProperties | undefined {
  const { correlationData, responseTopic, messageExpiryInterval } = from
  const correlationId = correlationData === undefined ? undefined : correlationText(correlationData, headers)
  if (correlationId === undefined && responseTopic === undefined && messageExpiryInterval === undefined)
    return undefined
  return {
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(responseTopic === undefined ? {} : { replyTo: responseTopic }),
    ...(messageExpiryInterval === undefined ? {} : { expiryMs: messageExpiryInterval * 1000 }),
  }
}

function correlationText(data: Buffer, headers: Header[]): string | undefined {
  try {
    return strictUtf8.decode(data)
  } catch {
    headers.push([CORRELATION_BYTES_HEADER, data.toString('base64')])
    return undefined
  }
}
