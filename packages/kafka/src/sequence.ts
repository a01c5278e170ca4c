/** What the broker knows a batch by: sent a second time it is answered like the first, and not appended again (KIP-98). */
export interface BatchNumber {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of its first record; the others follow. */
  readonly first: number
}

export interface ProducerId {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/**
 * Numbers the batches of one partition, which go one at a time. Its producer id is its own, so that what goes wrong in
 * one partition says nothing of another.
 */
export interface Sequence {
  /** The number of the next batch, and of the same one when it is tried again. Throws when no producer id can be had. */
  number(): Promise<BatchNumber>
  /** The batch of so many records is appended. */
  confirmed(count: number): void
  /** Nobody knows whether the batch was appended, and it will not be sent again as it was: a new id begins at 0. */
  renew(): void
}

/** Numbers are 31 bits and begin again at 0. */
const LAST = 0x7fffffff

/** @param newId asks the broker for an id that nobody has had. */
export function createSequence(newId: () => Promise<ProducerId>): Sequence {
  let id: ProducerId | null = null
  let first = 0
  return {
    async number() {
      id ??= await newId()
      return { ...id, first }
    },
    confirmed(count) {
      first = (first + count) & LAST
    },
    renew() {
      id = null
      first = 0
    },
  }
}
