import { type Broker, createBroker } from '@throughline/core'
import type { KafkaOptions, KafkaPublisherOptions, KafkaSubscriberOptions } from './options.ts'
import { kafkaTransport } from './transport.ts'

export * from './admin.ts'
export * from './binding.ts'
export { UNKNOWN_TOPIC_CODE } from './errors.ts'
export type {
  KafkaCompression,
  KafkaOptions,
  KafkaPartitioner,
  KafkaPublisherOptions,
  KafkaSeek,
  KafkaStart,
  KafkaSubscriberOptions,
} from './options.ts'
export type { PasswordCredentials, SaslCredentials, TokenCredentials } from './sasl.ts'
export { AUTHENTICATION_CODE } from './sasl.ts'
export * from './transport.ts'

/** A Kafka cluster to publish to and subscribe from. Connects when first used. Throws PermanentError when an option is wrong. */
export function kafka(options: KafkaOptions): Broker<KafkaPublisherOptions, KafkaSubscriberOptions> {
  return createBroker(kafkaTransport(options))
}
