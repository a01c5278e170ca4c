import type { Transport } from '@throughline/core'
import { kafkaBinding } from './binding.ts'
import {
  connectionOf,
  type KafkaOptions,
  type KafkaPublisherOptions,
  type KafkaSubscriberOptions,
  serverOf,
} from './options.ts'
import { kafkaPublisher } from './publisher.ts'
import { kafkaSubscriber } from './subscriber.ts'

/** Kafka as a transport, without the tracing and redelivery that `kafka()` puts round it. Throws PermanentError when an option is wrong. */
export function kafkaTransport(
  options: KafkaOptions,
): Transport<KafkaPublisherOptions, KafkaSubscriberOptions> {
  const connection = connectionOf(options)
  const { host, port } = serverOf(connection)
  return {
    system: 'kafka',
    sendOperation: 'send',
    settleOperation: 'commit',
    features: {
      acknowledges: true,
      ordering: 'key',
      headers: 'bytes',
      sharing: 'group',
      replay: true,
      answersSender: false,
    },
    binding: kafkaBinding,
    attributes: {
      connection: {
        'server.address': host,
        'server.port': port,
        'messaging.client.id': connection.clientId,
      },
      sent: ({ key, body }) => recordAttributes(key, body),
      confirmed: (result) => (result.ok ? placeAttributes(result.partition, result.offset) : {}),
      delivered: ({ message: { key, body }, position: { partition, offset } }) => ({
        ...placeAttributes(partition, offset),
        ...recordAttributes(key, body),
      }),
    },
    publisher: (publisherOptions) => kafkaPublisher(connection, publisherOptions),
    subscriber: (subscriberOptions) => kafkaSubscriber(connection, subscriberOptions),
  }
}

/** OpenTelemetry wants the key only where it is text beyond doubt. */
function recordAttributes(key: string | Uint8Array | undefined, body: Uint8Array | null) {
  return {
    ...(typeof key === 'string' ? { 'messaging.kafka.message.key': key } : {}),
    ...(body === null ? { 'messaging.kafka.message.tombstone': true } : {}),
  }
}

function placeAttributes(partition: number | undefined, offset: bigint | undefined) {
  return {
    ...(partition === undefined ? {} : { 'messaging.destination.partition.id': String(partition) }),
    ...(offset === undefined ? {} : { 'messaging.kafka.offset': offsetAttribute(offset) }),
  }
}

/** A number as the conventions have it; text where a number would be another offset. */
function offsetAttribute(offset: bigint): number | string {
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : String(offset)
}
