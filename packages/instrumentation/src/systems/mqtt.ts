import type { Attributes } from '@opentelemetry/api'
import type { Delivery, PublishResult } from '@throughline/core'
import type { System } from '../messages/system.ts'

/** What spans tell of MQTT's messages. */
export const mqtt: System = {
  name: 'mqtt',
  sendOperation: 'publish',
  hasManyDestinations: true,
  saysSentAt: true,
  // User properties have the attributes' bare names (CloudEvents MQTT binding 1.0.2 §3.1).
  eventHeaders: { prefixes: [''] },
  attributes: {
    sent: () => ({}),
    confirmed: (result) => (isPublished(result) ? packetAttributes(result.packet) : {}),
    delivered: (delivery) => (isReceived(delivery) ? receivedAttributes(delivery) : {}),
  },
}

/** Of a PUBLISH, what spans tell. */
export interface PublishPacket {
  readonly qos: number
  readonly retain: boolean
  /** The packet identifier; QoS 0 has none. */
  readonly messageId?: number | undefined
}

/** What became of a message that was published. */
export type Published = PublishResult<Error> & { readonly packet: PublishPacket }

/** A message that arrived. */
export interface Received extends Delivery {
  readonly packet: PublishPacket
  /** The share of the subscription that brought it. */
  readonly group: string | undefined
}

/** Port of a broker's address that names none, by its scheme. */
export function mqttPort(scheme: string): number {
  return { mqtts: 8883, ssl: 8883, tls: 8883, ws: 80, wss: 443 }[scheme] ?? 1883
}

function receivedAttributes({ packet, group }: Received): Attributes {
  return {
    ...packetAttributes(packet),
    ...(group === undefined ? {} : { 'messaging.consumer.group.name': group }),
  }
}

function packetAttributes({ qos, retain, messageId }: PublishPacket): Attributes {
  return {
    'messaging.mqtt.qos': qos,
    'messaging.mqtt.retain': retain,
    ...(qos === 0 || messageId === undefined ? {} : { 'messaging.mqtt.packet_id': messageId }),
  }
}

function isPublished(result: PublishResult<Error>): result is Published {
  return 'packet' in result
}

function isReceived(delivery: Delivery): delivery is Received {
  return 'packet' in delivery
}
