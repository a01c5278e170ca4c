import type { Attributes } from '@opentelemetry/api'
import type { Delivery, Settlement } from '@throughline/core'
import { type HeaderRecord, headersOf } from '../messages/headers.ts'
import type { System } from '../messages/system.ts'
import type { ClientInstrumentationConfig } from '../options.ts'

/** What spans tell of RabbitMQ's messages, whichever client carries them (RabbitMQ conventions 1.44). A message's key is its routing key. */
export const rabbitmq: System = {
  name: 'rabbitmq',
  sendOperation: 'publish',
  receiveOperation: 'get',
  saysSentAt: true,
  eventHeaders: { prefixes: ['cloudevents:', 'cloudevents_'] },
  attributes: {
    sent: ({ key }) => routingKeyAttribute(key),
    confirmed: () => ({}),
    delivered(delivery) {
      const attributes = routingKeyAttribute(delivery.message.key)
      if (!isRabbitmq(delivery)) return attributes
      attributes['messaging.rabbitmq.message.delivery_tag'] = delivery.deliveryTag
      if (delivery.deadLettered !== undefined) {
        attributes['throughline.dead_letter'] = true
        attributes['throughline.dead_letter.reason'] = delivery.deadLettered.reason
      }
      return attributes
    },
  },
}

export const RABBITMQ_PORT = 5672
export const RABBITMQ_TLS_PORT = 5671

/** What conventions call the default exchange, where nothing else is known. */
const DEFAULT_EXCHANGE = 'amq.default'

/** `messaging.destination.name` of what is sent: `{exchange}:{routing key}`, or the one that is not empty. */
export function routeName(exchange: string, routingKey: string): string {
  if (exchange === '') return routingKey === '' ? DEFAULT_EXCHANGE : routingKey
  return routingKey === '' ? exchange : `${exchange}:${routingKey}`
}

/** The same of what is received: `{exchange}:{routing key}:{queue}` without what is empty; the queue only where it is not the routing key. */
export function sourceName(exchange: string, routingKey: string, queue: string): string {
  if (queue === '' || queue === routingKey || queue === REPLY_TO) return routeName(exchange, routingKey)
  return exchange === '' && routingKey === '' ? queue : `${routeName(exchange, routingKey)}:${queue}`
}

/** Direct reply-to: answers have a routing key of their own below it. */
export const REPLY_TO = 'amq.rabbitmq.reply-to'

/** Queues that the broker or the client has named, one a connection: `amq.gen-Xa2…`, `amq.rabbitmq.reply-to.g1h…`. */
const GENERATED = /(^|:)amq\.(gen|rabbitmq\.reply-to)[-.][^:]*/

/** The application's options with a low-cardinality name for queues whose own names are generated. */
export function withQueueTemplates<Config extends ClientInstrumentationConfig>(config: Config): Config {
  const { template } = config
  return {
    ...config,
    template: (destination: string) =>
      template?.(destination) ??
      (GENERATED.test(destination) ? destination.replace(GENERATED, '$1amq.$2') : undefined),
  }
}

/** What a client's `nack` or `reject` means: RabbitMQ's clients requeue where they are not told. */
export function refusal(requeue: unknown): Settlement['outcome'] {
  return requeue === undefined || requeue ? 'release' : 'reject'
}

/** One message as RabbitMQ delivered it. */
export interface Received {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
  readonly deliveryTag: number
  readonly redelivered: boolean
  readonly headers: HeaderRecord | null | undefined
  readonly contentType: string | undefined
  readonly messageId: string | undefined
  readonly body: Uint8Array | null
}

/** Why and from where the broker has moved a message. */
export interface DeadLettered {
  readonly queue: string
  /** `rejected`, `expired`, `maxlen` or `delivery_limit`. */
  readonly reason: string
}

export interface RabbitmqDelivery extends Delivery {
  readonly deliveryTag: number
  /** Set where the message is a dead letter of another queue. */
  readonly deadLettered: DeadLettered | undefined
}

/**
 * A received message as core sees it. `attempt` counts what the broker counts: deliveries of a quorum queue
 * (`x-delivery-count`), and how often this queue has rejected it before (`x-death`: retry by a dead letter exchange).
 */
export function deliveryOf(received: Received): RabbitmqDelivery {
  const { queue, exchange, routingKey, headers, contentType, messageId, body } = received
  const deaths = deathsOf(headers)
  let ownDeaths = 0
  let refused = 0
  for (const death of deaths) {
    if (death.queue !== queue) continue
    ownDeaths++
    if (death.reason === 'rejected') refused += death.count
  }
  return {
    message: {
      headers: headersOf(headers),
      body,
      key: routingKey,
      ...(typeof contentType === 'string' ? { contentType } : {}),
      ...(typeof messageId === 'string' ? { properties: { messageId } } : {}),
    },
    position: { destination: sourceName(exchange, routingKey, queue) },
    attempt: Math.max(counted(headers?.['x-delivery-count']), refused) + 1,
    redelivered: received.redelivered || refused > 0,
    deliveryTag: received.deliveryTag,
    // In the queue that it left it is none any more, but tried again.
    deadLettered: ownDeaths > 0 ? undefined : deaths[0],
  }
}

interface Death extends DeadLettered {
  readonly count: number
}

const NO_DEATHS: readonly Death[] = []

/** Newest first (RabbitMQ: dead letter exchanges, the header `x-death`). */
function deathsOf(headers: HeaderRecord | null | undefined): readonly Death[] {
  const deaths = headers?.['x-death']
  if (!Array.isArray(deaths)) return NO_DEATHS
  return deaths.flatMap((death: unknown): Death[] => {
    if (typeof death !== 'object' || death === null) return []
    const { queue, reason, count } = death as { readonly [Name in keyof Death]?: unknown }
    return typeof queue === 'string' && typeof reason === 'string'
      ? [{ queue, reason, count: counted(count) }]
      : []
  })
}

/** A number of the broker's. */
function counted(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
}

function routingKeyAttribute(key: string | Uint8Array | undefined): Attributes {
  return typeof key === 'string' && key !== '' ? { 'messaging.rabbitmq.destination.routing_key': key } : {}
}

function isRabbitmq(delivery: Delivery): delivery is RabbitmqDelivery {
  return 'deliveryTag' in delivery
}
