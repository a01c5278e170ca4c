import {
  type API,
  type Broker,
  kGetApi,
  NumericMap,
  ProduceAcks,
  Producer,
  type produceV11,
} from '@platformatic/kafka'
import { markTraced } from '@throughline/core'
import { kafkaError } from './errors.ts'
import { type Connection, clientOptions, type KafkaCompression } from './options.ts'
import type { OutgoingRecord } from './record.ts'
import type { BatchNumber, ProducerId } from './sequence.ts'

/** Producing, reduced to what the publisher asks of it: one try each, no retry of its own. */
export interface ProducerClient {
  /** Throws UnavailableError when no broker can be reached. */
  connect(): Promise<void>
  /** Partitions of a topic. Throws the driver's error. */
  partitionsOf(topic: string): Promise<number>
  /** An id that no producer has had. Throws the driver's error. */
  newId(): Promise<ProducerId>
  /**
   * Appends the records to one partition and resolves to the first one's offset when all in-sync replicas have them. With
   * a number, the same records are appended once, however often they are sent. Throws the driver's error.
   */
  append(
    topic: string,
    partition: number,
    records: readonly OutgoingRecord[],
    number: BatchNumber | null,
  ): Promise<bigint>
  close(): Promise<void>
}

type ProduceArguments = [
  acks: number,
  timeoutMs: number,
  records: (Omit<OutgoingRecord, 'sizeBytes'> & { readonly topic: string; readonly partition: number })[],
  options: {
    readonly compression?: KafkaCompression
    readonly producerId?: bigint
    readonly producerEpoch?: number
    readonly sequences?: NumericMap
  },
]
type InitProducerIdArguments = [transactionalId: null, timeoutMs: number, id: bigint, epoch: number]

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
    // The driver's own sequences are not used: see RATIONALE.md.
    idempotent: false,
  })
  markTraced(producer)

  /** In the newest version that both the driver and the broker have, as the driver's own producer asks for it. */
  function apiOf<Arguments extends unknown[], Response>(name: string): Promise<API<Arguments, Response>> {
    return new Promise((resolve, reject) => {
      producer[kGetApi]<Arguments, Response>(name, (error, api) => {
        if (api === undefined) reject(error ?? new Error(`the broker has no ${name}`))
        else resolve(api)
      })
    })
  }

  async function leaderOf(topic: string, partition: number): Promise<Broker> {
    const { topics, brokers } = await producer.metadata({ topics: [topic] })
    const leader = brokers.get(topics.get(topic)?.partitions[partition]?.leader ?? -1)
    if (leader === undefined) throw new Error(`no leader for ${topic}[${partition}]`)
    return leader
  }

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
    async newId() {
      const { brokers } = await producer.metadata({ topics: [] })
      const api = await apiOf<InitProducerIdArguments, ProducerId>('InitProducerId')
      const any = await producer.connections.getFirstAvailable([...brokers.values()])
      const { producerId, producerEpoch } = await api.async(any, null, requestTimeoutMs, -1n, -1)
      return { producerId, producerEpoch }
    },
    async append(topic, partition, records, number) {
      const outgoing = records.map(({ key, value, headers }) => ({ topic, partition, headers, key, value }))
      const options = {
        ...(compression === undefined ? {} : { compression }),
        ...(number === null ? {} : numbered(topic, partition, number)),
      }
      try {
        const api = await apiOf<ProduceArguments, produceV11.ProduceResponse>('Produce')
        const leader = await producer.connections.get(await leaderOf(topic, partition))
        const { responses } = await api.async(leader, ProduceAcks.ALL, requestTimeoutMs, outgoing, options)
        const base = responses[0]?.partitionResponses[0]?.baseOffset
        if (base === undefined) throw new Error('the broker confirmed without an offset')
        return base
      } catch (error) {
        // Another broker may lead it by now.
        producer.clearMetadata()
        throw error
      }
    },
    close: () => producer.close(true),
  }
}

function numbered(topic: string, partition: number, { producerId, producerEpoch, first }: BatchNumber) {
  return { producerId, producerEpoch, sequences: new NumericMap([[`${topic}:${partition}`, first]]) }
}
