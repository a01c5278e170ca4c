import type { Message, Transport } from '@throughline/core'
import { rabbitmqBinding } from './binding.ts'
import { shareConnection } from './connection.ts'
import { deliveredAttributes, routingKeyAttribute } from './delivery.ts'
import { parseRoute } from './destination.ts'
import { parseOptions, type RabbitmqOptions } from './options.ts'
import { type RabbitmqPublisherOptions, rabbitmqPublisher } from './publisher.ts'
import { type RabbitmqSubscriberOptions, rabbitmqSubscriber } from './subscriber.ts'

/** RabbitMQ as a driver. */
export type RabbitmqTransport = Transport<RabbitmqPublisherOptions, RabbitmqSubscriberOptions>

/**
 * RabbitMQ by AMQP 0-9-1. All publishers share one connection and all subscribers another, each on a channel of its
 * own: a broker that holds publishers back (an alarm of memory or disk) holds no acknowledgement back. Throws
 * PermanentError for options that cannot work.
 */
export function rabbitmqTransport(options: RabbitmqOptions): RabbitmqTransport {
  const endpoint = parseOptions(options)
  const publishing = shareConnection(endpoint, 'pub')
  const subscribing = shareConnection(endpoint, 'sub')
  // Of publishers' own destinations, which do not say whether they are an exchange or a routing key.
  const routingKeys = new Map<string, string>()

  function sent({ destination: own }: Message, destination: string) {
    if (own !== undefined) return routingKeyAttribute(parseRoute(own, '').routingKey)
    return routingKeyAttribute(routingKeys.get(destination) ?? '')
  }

  return {
    system: 'rabbitmq',
    sendOperation: 'publish',
    features: {
      acknowledges: true,
      ordering: 'destination',
      headers: 'text',
      sharing: 'group',
      replay: false,
      answersSender: false,
    },
    binding: rabbitmqBinding,
    attributes: {
      connection: {
        'server.address': endpoint.host,
        'server.port': endpoint.port,
        'messaging.client.id': endpoint.connectionName,
      },
      sent,
      confirmed: () => ({}),
      delivered: deliveredAttributes,
    },
    publisher(settings) {
      const made = rabbitmqPublisher(endpoint, publishing, settings)
      routingKeys.set(made.destination, settings.routingKey ?? '')
      return made
    },
    subscriber: (settings) => rabbitmqSubscriber(endpoint, subscribing, settings),
  }
}
