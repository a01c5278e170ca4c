import type { Delivery, TransportAttributes } from '@throughline/core'
import type { AsyncMessage } from 'rabbitmq-client'
import { sourceName } from './destination.ts'
import { contentTypeOf } from './driver.ts'
import { messageOf } from './properties.ts'
import { patternOf, type Topology } from './topology.ts'

/** OpenTelemetry's attributes: this package depends on core alone for the type. */
export type Attributes = TransportAttributes['connection']

/** What settles a delivery: its number on the channel that it came by. */
export interface Held {
  readonly tag: number
  readonly routingKey: string
  /** Aborted when the channel is gone. */
  readonly life: AbortSignal
}

const HELD = Symbol('throughline.rabbitmq.held')

/** A delivery with what it takes to settle it; copies by spread keep it. */
export interface RabbitmqDelivery extends Delivery {
  readonly [HELD]: Held
}

export interface Source {
  readonly queue: string
  readonly topology: Topology
  readonly ordered: boolean
}

/** A received message as a delivery of its queue. Throws PermanentError for a body that is not as it came. */
export function deliveryOf(
  received: AsyncMessage,
  { queue, topology, ordered }: Source,
  life: AbortSignal,
): RabbitmqDelivery {
  const { exchange, routingKey, deliveryTag, redelivered, headers = {} } = received
  const pattern = patternOf(topology, exchange, routingKey)
  const offset = counted(headers['x-stream-offset'])
  const count = counted(headers['x-delivery-count']) ?? 0
  return {
    message: messageOf(received, contentTypeOf(received)),
    position: {
      destination: sourceName({ exchange, routingKey }, queue),
      ...(pattern === undefined ? {} : { pattern: sourceName({ exchange, routingKey: pattern }, queue) }),
      ...(offset === undefined ? {} : { offset: BigInt(offset) }),
    },
    attempt: count + 1,
    redelivered,
    ...(ordered ? { orderKey: routingKey } : {}),
    signal: life,
    [HELD]: { tag: deliveryTag, routingKey, life },
  }
}

/** A number of the broker's; a queue that has none hands over what a publisher wrote there. */
function counted(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** What settles a delivery; undefined for one that is not this package's. */
export function heldOf(delivery: Delivery): Held | undefined {
  return isRabbitmq(delivery) ? delivery[HELD] : undefined
}

/** OpenTelemetry's attributes of a received message. */
export function deliveredAttributes(delivery: Delivery): Attributes {
  const held = heldOf(delivery)
  if (held === undefined) return {}
  return { ...routingKeyAttribute(held.routingKey), 'messaging.rabbitmq.message.delivery_tag': held.tag }
}

export function routingKeyAttribute(routingKey: string): Attributes {
  return routingKey === '' ? {} : { 'messaging.rabbitmq.destination.routing_key': routingKey }
}

function isRabbitmq(delivery: Delivery): delivery is RabbitmqDelivery {
  return HELD in delivery
}
