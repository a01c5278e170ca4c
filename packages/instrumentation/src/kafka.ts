import type { Attributes } from '@opentelemetry/api'
import type { System } from './system.ts'

/** What spans tell of Kafka's messages, whichever client carries them (Kafka conventions 1.44). */
export const kafka: System = {
  name: 'kafka',
  sendOperation: 'send',
  eventHeaders: { prefixes: ['ce_'] },
  attributes: {
    sent: ({ key, body }) => recordAttributes(key, body),
    confirmed: (result) => (result.ok ? placeAttributes(result.partition, result.offset) : {}),
    delivered: ({ message: { key, body }, position: { partition, offset } }) => ({
      ...placeAttributes(partition, offset),
      ...recordAttributes(key, body),
    }),
  },
}

export const KAFKA_PORT = 9092

/** OpenTelemetry wants the key only where it is text beyond doubt. */
function recordAttributes(key: string | Uint8Array | undefined, body: Uint8Array | null): Attributes {
  return {
    ...(typeof key === 'string' ? { 'messaging.kafka.message.key': key } : {}),
    ...(body === null ? { 'messaging.kafka.message.tombstone': true } : {}),
  }
}

/** Offsets go beyond 2^53, where a number would be another one. */
function placeAttributes(partition: number | undefined, offset: bigint | undefined): Attributes {
  return {
    ...(partition === undefined ? {} : { 'messaging.destination.partition.id': String(partition) }),
    ...(offset === undefined ? {} : { 'messaging.kafka.offset': offsetValue(offset) }),
  }
}

function offsetValue(offset: bigint): number | string {
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : String(offset)
}
