import type { Delivery, TransportAttributes } from '@throughline/core'
import type { Held } from './ack-gate.ts'
import { unwrap } from './envelope.ts'
import { messageOf } from './properties.ts'
import { hasWildcard, matches } from './topic.ts'

/** OpenTelemetry's attributes: this package depends on core alone for the type. */
export type Attributes = TransportAttributes['connection']

const HELD = Symbol('throughline.mqtt.held')

/** A delivery with what it takes to settle it; copies by spread keep it. */
export interface MqttDelivery extends Delivery {
  readonly [HELD]: Held
}

/** A received message, out of its envelope, as a delivery of one of the subscription's filters. `signal`: the life of its connection. */
export function deliveryOf(
  held: Held,
  { filters, envelope, signal }: { filters: readonly string[]; envelope: boolean; signal: AbortSignal },
): MqttDelivery {
  const { topic } = held
  const message = messageOf(held.packet)
  const filter = filters.find((each) => matches(each, topic))
  return {
    message: envelope ? unwrap(message) : message,
    position: {
      destination: topic,
      ...(filter !== undefined && hasWildcard(filter) ? { pattern: filter } : {}),
    },
    attempt: 1,
    redelivered: held.packet.dup,
    orderKey: topic,
    signal,
    [HELD]: held,
  }
}

/** What settles a delivery; undefined for one that is not this package's. */
export function heldOf(delivery: Delivery): Held | undefined {
  return isMqtt(delivery) ? delivery[HELD] : undefined
}

/** OpenTelemetry's attributes of a received message. */
export function deliveredAttributes(delivery: Delivery): Attributes {
  const packet = heldOf(delivery)?.packet
  if (packet === undefined) return {}
  return mqttAttributes(packet.qos, packet.retain, packet.messageId)
}

/** `messageId` is MQTT's packet identifier; QoS 0 has none. */
export function mqttAttributes(qos: number, retain: boolean, messageId: number | undefined): Attributes {
  return {
    'messaging.mqtt.qos': qos,
    'messaging.mqtt.retain': retain,
    ...(qos === 0 || messageId === undefined ? {} : { 'messaging.mqtt.packet_id': messageId }),
  }
}

function isMqtt(delivery: Delivery): delivery is MqttDelivery {
  return HELD in delivery
}
