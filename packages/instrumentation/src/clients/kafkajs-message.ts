import { textOf } from '@throughline/core'

/** As far as it is read here, of kafkajs and of what mirrors it. */
export interface KafkaMessage {
  readonly key?: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: Readonly<Record<string, unknown>>
  readonly timestamp?: unknown
}

/** Kafka has no property for it, but a header. */
export function contentTypeOf({ headers }: KafkaMessage): string | undefined {
  const value = headers?.['content-type']
  return typeof value === 'string' || value instanceof Uint8Array ? textOf(value) : undefined
}
