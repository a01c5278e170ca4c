import type { IPublishPacket } from 'mqtt'

/** MQTT's own limit on what follows the fixed header (§2.1.4). */
const MAX_REMAINING_BYTES = 268_435_455

/** The most that fits one packet of MQTT, whatever the broker allows. */
export const MAX_PACKET_BYTES = MAX_REMAINING_BYTES + 5

/** Bytes of a PUBLISH on the wire (MQTT 5 §3.3), to refuse one that the broker would break the connection over. */
export function publishBytes({ topic, payload, qos, properties = {} }: IPublishPacket): number {
  const {
    userProperties = {},
    contentType,
    responseTopic,
    correlationData,
    messageExpiryInterval,
    topicAlias,
  } = properties
  let inner = 0
  for (const name in userProperties) {
    const values = userProperties[name] ?? []
    for (const value of typeof values === 'string' ? [values] : values) inner += 1 + text(name) + text(value)
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

/** A string with its two bytes of length. */
function text(value: string): number {
  return 2 + Buffer.byteLength(value)
}

/** Bytes of a variable byte integer (§1.5.5). */
function variable(value: number): number {
  if (value < 128) return 1
  if (value < 16_384) return 2
  return value < 2_097_152 ? 3 : 4
}
