import type { Attributes } from '@opentelemetry/api'
import type { System } from './system.ts'

/** What spans tell of Kafka's messages, whichever client carries them (Kafka conventions 1.44). */
export const kafka: System = {
  name: 'kafka',
  sendOperation: 'send',
  saysSentAt: false,
  eventHeaders: { prefixes: ['ce_'] },
  attributes: {
    sent({ key, body }) {
      const attributes: Attributes = {}
      addRecord(attributes, key, body)
      return attributes
    },
    confirmed(result) {
      const attributes: Attributes = {}
      if (result.ok) addPlace(attributes, result.partition, result.offset)
      return attributes
    },
    delivered({ message: { key, body }, position: { partition, offset } }) {
      const attributes: Attributes = {}
      addPlace(attributes, partition, offset)
      addRecord(attributes, key, body)
      return attributes
    },
  },
}

export const KAFKA_PORT = 9092

/** OpenTelemetry wants the key only where it is text beyond doubt. */
function addRecord(
  attributes: Attributes,
  key: string | Uint8Array | undefined,
  body: Uint8Array | null,
): void {
  if (typeof key === 'string') attributes['messaging.kafka.message.key'] = key
  if (body === null) attributes['messaging.kafka.message.tombstone'] = true
}

function addPlace(attributes: Attributes, partition: number | undefined, offset: bigint | undefined): void {
  if (partition !== undefined) attributes['messaging.destination.partition.id'] = String(partition)
  if (offset !== undefined) attributes['messaging.kafka.offset'] = offsetValue(offset)
}

/** Offsets go beyond 2^53, where a number would be another one. */
function offsetValue(offset: bigint): number | string {
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : String(offset)
}
