import { isUtf8 } from 'node:buffer'
import type { Attributes } from '@opentelemetry/api'
import type { System } from '../messages/system.ts'

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

function addRecord(
  attributes: Attributes,
  key: string | Uint8Array | undefined,
  body: Uint8Array | null,
): void {
  const text = typeof key === 'string' ? key : textOfKey(key)
  if (text !== undefined) attributes['messaging.kafka.message.key'] = text
  if (body === null) attributes['messaging.kafka.message.tombstone'] = true
}

/**
 * OpenTelemetry wants the key only where it is text beyond doubt. Consumers get bytes whatever it was: they are text where
 * they are UTF-8 without control characters, which numbers in binary have.
 */
function textOfKey(key: Uint8Array | undefined): string | undefined {
  if (key === undefined || !isUtf8(key) || key.some((byte) => byte < 0x20)) return undefined
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString()
}

function addPlace(attributes: Attributes, partition: number | undefined, offset: bigint | undefined): void {
  if (partition !== undefined) attributes['messaging.destination.partition.id'] = String(partition)
  if (offset !== undefined) attributes['messaging.kafka.offset'] = offsetValue(offset)
}

/** Offsets go beyond 2^53, where a number would be another one. */
function offsetValue(offset: bigint): number | string {
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : String(offset)
}
