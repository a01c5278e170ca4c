import type { IPublishPacket } from 'mqtt'

/** MQTT's own limit on what follows the fixed header (§2.1.4). */
const MAX_REMAINING_BYTES = 268_435_455

/** The most that fits one packet of MQTT, whatever the broker allows. */
export const MAX_PACKET_BYTES = MAX_REMAINING_BYTES + 5

type Publish = Pick<IPublishPacket, 'topic' | 'payload' | 'qos' | 'properties'>

/** Whether a PUBLISH takes at most so many bytes on the wire: most need not be counted to know it. */
export function fitsPacket(packet: Publish, maxBytes: number): boolean {
  return publishBytes(packet, mostBytes) <= maxBytes || publishBytes(packet) <= maxBytes
}

/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const mostBytes = (value: string) => value.length * 3

/** Bytes of a PUBLISH on the wire (MQTT 5 §3.3), to refuse one that the broker would break the connection over. */
export function publishBytes(
  { topic, payload, qos, properties = {} }: Publish,
  bytesOf: (value: string) => number = Buffer.byteLength,
): number {
  const {
    userProperties = {},
    contentType,
    responseTopic,
    correlationData,
    messageExpiryInterval,
    topicAlias,
  } = properties
  // A string has its two bytes of length.
  const text = (value: string) => 2 + bytesOf(value)
  let inner = 0
  for (const name in userProperties) {
    const values = userProperties[name] ?? []
    if (typeof values === 'string') inner += 1 + text(name) + text(values)
    else for (const value of values) inner += 1 + text(name) + text(value)
  }
  if (contentType !== undefined) inner += 1 + text(contentType)
  if (responseTopic !== undefined) inner += 1 + text(responseTopic)
  if (correlationData !== undefined) inner += 3 + correlationData.byteLength
  if (messageExpiryInterval !== undefined) inner += 5
  if (topicAlias !== undefined) inner += 3
  const packetId = qos === 0 ? 0 : 2
  const remaining = text(topic) + packetId + variable(inner) + inner + Buffer.byteLength(payload)
  return 1 + variable(remaining) + remaining
}

/** Bytes of a variable byte integer (§1.5.5). */
function variable(value: number): number {
  if (value < 128) return 1
  if (value < 16_384) return 2
  return value < 2_097_152 ? 3 : 4
}
