import type { Binding, Header, Message } from '@throughline/core'
import { httpBinding } from '@throughline/http'
import { kafkaBinding } from '@throughline/kafka'
import { mqttBinding } from '@throughline/mqtt'
import { rabbitmqBinding } from '@throughline/rabbitmq'
// What goes over the wire is a transport's own affair, so not among its exports.
import { messageHeaders, readFieldValue, requestHeaders } from '../../packages/http/src/headers.ts'
import { decodeRecord, encodeRecord } from '../../packages/kafka/src/record.ts'
import { structuredBinding } from '../../packages/mqtt/src/binding.ts'
import { unwrap, wrap } from '../../packages/mqtt/src/envelope.ts'
import { messageOf, propertiesOf } from '../../packages/mqtt/src/properties.ts'
import { contentHeaderOf, messageOf as messageOfContent } from '../../packages/rabbitmq/src/properties.ts'

/** A binding and what its transport makes of a message between the two sides, without a network. */
export interface Carrier {
  readonly binding: Binding
  /** The message as the other side gets it. */
  carry(message: Message): Message
}

export const carriers: Readonly<Record<'http' | 'kafka' | 'mqtt' | 'mqtt3' | 'rabbitmq', Carrier>> = {
  http: { binding: httpBinding, carry: (message) => receiveHttp(sentHeaders(message), message.body) },
  kafka: {
    binding: kafkaBinding,
    carry(message) {
      const { key, value, headers } = encodeRecord(message)
      return receiveKafka([...headers], value ?? null, key ?? null)
    },
  },
  mqtt: {
    binding: mqttBinding,
    carry(message) {
      const { userProperties, contentType } = propertiesOf(message)
      return receiveMqtt(Object.entries(userProperties ?? {}), contentType, message.body ?? new Uint8Array())
    },
  },
  /** MQTT 3.1.1 with the envelope, which is all that goes over the wire. */
  mqtt3: {
    binding: structuredBinding,
    carry: (message) => receiveMqtt3(wrap(message).body ?? new Uint8Array()),
  },
  rabbitmq: {
    binding: rabbitmqBinding,
    carry(message) {
      const { headers = {}, contentType } = contentHeaderOf(message, FRAME_BYTES)
      return receiveRabbitmq(headers, contentType, message.body ?? new Uint8Array())
    },
  },
}

/** RabbitMQ's own limit for what holds all headers. */
const FRAME_BYTES = 131_072

/** As node:http writes a request's head and reads it again: a line a value, in Latin-1, its ends trimmed. */
function sentHeaders(message: Message): string[] {
  return Object.entries(requestHeaders(message, [])).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => [name, Buffer.from(value, 'latin1').toString('latin1').trim()]),
  )
}

/** A message as our server reads it off a request: Node's flat array of headers, and the body. */
export function receiveHttp(rawHeaders: readonly string[], body: Uint8Array | null): Message {
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type')
  const contentType = at < 0 ? undefined : rawHeaders[at + 1]
  return {
    body: body ?? new Uint8Array(),
    headers: messageHeaders(rawHeaders),
    ...(contentType === undefined ? {} : { contentType: readFieldValue(contentType) }),
  }
}

/** A message as our consumer reads it off a record. */
export function receiveKafka(
  headers: readonly (readonly [Buffer | null, Buffer | null])[],
  value: Buffer | null,
  key: Buffer | null = null,
): Message {
  const record = { length: 0, attributes: 0, timestampDelta: 0n, offsetDelta: 0 }
  return decodeRecord({ ...record, key, value, headers: headers.map(([a, b]) => [a, b]) }, 0)
}

/** A message as our client reads it off a PUBLISH. MQTT.js has a property's values as an array where they are several. */
export function receiveMqtt(
  pairs: readonly (readonly [name: string, value: string | readonly string[]])[],
  contentType: string | undefined,
  body: Uint8Array,
): Message {
  const userProperties: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of pairs) {
    userProperties[name] =
      typeof value === 'string' ? value : value.length === 1 ? (value[0] ?? '') : [...value]
  }
  const properties = { userProperties, ...(contentType === undefined ? {} : { contentType }) }
  const payload = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return messageOf({ cmd: 'publish', topic: 't', payload, qos: 1, dup: false, retain: false, properties })
}

/** A message as our client reads it off a payload in an envelope. */
export function receiveMqtt3(body: Uint8Array): Message {
  return unwrap({ body, headers: [] })
}

/** A message as our client reads it off a delivery. The driver has a table's values as JavaScript's. */
export function receiveRabbitmq(
  headers: Readonly<Record<string, unknown>>,
  contentType: string | undefined,
  body: Uint8Array,
): Message {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return messageOfContent({ headers: { ...headers }, body: bytes }, contentType)
}

/** Header pairs as text, for a test that changes them. */
export function textHeaders(headers: readonly Header[]): [name: string, value: string][] {
  return headers.map(([name, value]) => [
    name,
    typeof value === 'string' ? value : Buffer.from(value).toString('latin1'),
  ])
}
