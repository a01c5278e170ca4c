import { murmur2 } from '@platformatic/kafka'

/** The partition that Kafka's own clients choose for a key: murmur2 of its bytes, without the sign bit. */
export function partitionOf(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
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
