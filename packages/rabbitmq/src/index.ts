import { type Broker, createBroker } from '@throughline/core'
import type { RabbitmqOptions } from './options.ts'
import type { RabbitmqPublisherOptions } from './publisher.ts'
import type { RabbitmqSubscriberOptions } from './subscriber.ts'
import { rabbitmqTransport } from './transport.ts'

export { rabbitmqBinding } from './binding.ts'
export { BLOCKED_CODE, CANCELLED_CODE, NOT_FOUND_CODE, UNROUTABLE_CODE } from './errors.ts'
export type { RabbitmqOptions, TlsOptions } from './options.ts'
export type { RabbitmqPublisherOptions } from './publisher.ts'
export type { RabbitmqSubscriberOptions } from './subscriber.ts'
export type {
  Arguments,
  BindingDeclaration,
  ExchangeDeclaration,
  QueueDeclaration,
  Topology,
} from './topology.ts'
export { type RabbitmqTransport, rabbitmqTransport } from './transport.ts'

/** A broker that is RabbitMQ: `rabbitmq({ url: 'amqp://localhost' })`. */
export function rabbitmq(
  options: RabbitmqOptions,
): Broker<RabbitmqPublisherOptions, RabbitmqSubscriberOptions> {
  return createBroker(rabbitmqTransport(options))
}
