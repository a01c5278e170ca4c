import { crc32 } from 'node:zlib'
import { murmur2 } from '@platformatic/kafka'
import { PermanentError } from '@throughline/core'
import type { KafkaPartitioner } from './options.ts'

export type Partition = (key: Buffer, partitions: number) => number

/** Throws PermanentError for a partitioner that there is not. */
export function partitionerOf(partitioner: KafkaPartitioner): Partition {
  if (typeof partitioner === 'function') return partitioner
  if (partitioner === 'murmur2') return byMurmur2
  if (partitioner === 'crc32') return byCrc32
  throw new PermanentError('Kafka: partitioner must be murmur2, crc32 or a function')
}

/** Kafka's own clients: murmur2 of the key's bytes, without the sign bit. */
function byMurmur2(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** librdkafka's `consistent`, which all clients that are built on it have as their default. */
function byCrc32(key: Buffer, partitions: number): number {
  return crc32(key) % partitions
}

/** Where messages without a key go: one partition a batch, so that batches stay large, each partition in its turn. */
export interface Rotation {
  next(partitions: number): number
  /** The batch of this partition is on its way: the next message starts another one. */
  sent(partition: number): void
}

/** @param start any number; a random one keeps many publishers from all beginning with partition 0. */
export function createRotation(start: number): Rotation {
  let turn = start
  let current: number | null = null
  return {
    next(partitions) {
      if (current === null || current >= partitions) current = turn++ % partitions
      return current
    },
    sent(partition) {
      if (current === partition) current = null
    },
  }
}
