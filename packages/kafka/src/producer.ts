import { ProduceAcks, Producer } from '@platformatic/kafka'
import { kafkaError } from './errors.ts'
import { type Connection, clientOptions, type KafkaCompression } from './options.ts'
import type { OutgoingRecord } from './record.ts'

/** The driver's producer, reduced to what the publisher asks of it: one try each, no retry of its own. */
export interface ProducerClient {
  /** Throws UnavailableError when no broker can be reached. */
  connect(): Promise<void>
  /** Partitions of a topic. Throws the driver's error. */
  partitionsOf(topic: string): Promise<number>
  /** Appends the records to one partition and resolves to the first one's offset when all in-sync replicas have them. */
  append(topic: string, partition: number, records: readonly OutgoingRecord[]): Promise<bigint>
  close(): Promise<void>
}

/** @param requestTimeoutMs how long a request may go without an answer until its connection is given up, milliseconds. */
export function createProducerClient(
  connection: Connection,
  requestTimeoutMs: number,
  compression: KafkaCompression | undefined,
): ProducerClient {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
    ...clientOptions(connection),
    requestTimeout: requestTimeoutMs,
    timeout: requestTimeoutMs,
    // Not idempotent: see RATIONALE.md.
    idempotent: false,
  })

  return {
    async connect() {
      try {
        await producer.metadata({ topics: [], forceUpdate: true })
      } catch (error) {
        throw kafkaError(error, connection, 'no broker can be reached')
      }
    },
    async partitionsOf(topic) {
      const { topics } = await producer.metadata({ topics: [topic], forceUpdate: true })
      const count = topics.get(topic)?.partitionsCount ?? 0
      if (count === 0) throw new Error(`topic ${topic} has no partitions yet`)
      return count
    },
    async append(topic, partition, records) {
      const messages = records.map(({ key, value, headers }) => ({
        topic,
        partition,
        headers,
        ...(key === undefined ? {} : { key }),
        ...(value === undefined ? {} : { value }),
      }))
      const { offsets } = await producer.send({
        acks: ProduceAcks.ALL,
        messages,
        ...(compression === undefined ? {} : { compression }),
      })
      const base = offsets?.[0]?.offset
      if (base === undefined) throw new Error('the broker confirmed without an offset')
      return base
    },
    close: () => producer.close(true),
  }
}
