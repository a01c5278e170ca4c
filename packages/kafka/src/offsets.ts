/**
 * What one partition's reader has read and what of it is settled. Pure: it knows no broker and no clock.
 * Kafka keeps one number a group and partition: everything below it is done. So what may be committed is the lowest
 * offset that is not settled, or where reading stands when all is.
 */
export interface Offsets {
  /** An offset is handed out. Offsets rise; those that are left out (control records, compaction) count as done. */
  deliver(offset: bigint): void
  /** Everything below `position` has been read: what was not delivered of it never will be. */
  advance(position: bigint): void
  /** True when the offset was unsettled until now. */
  settle(offset: bigint): boolean
  /** Handed out and not settled. */
  readonly unsettled: number
  /** The highest offset that may be committed. Never goes back. */
  committable(): bigint
}

/** @param start the first offset to be read. */
export function createOffsets(start: bigint): Offsets {
  // A Set keeps the order of insertion, which is that of the offsets: its first element is the lowest.
  const unsettled = new Set<bigint>()
  let position = start

  return {
    deliver(offset) {
      unsettled.add(offset)
      if (offset >= position) position = offset + 1n
    },
    advance(to) {
      if (to > position) position = to
    },
    settle: (offset) => unsettled.delete(offset),
    get unsettled() {
      return unsettled.size
    },
    committable() {
      for (const lowest of unsettled) return lowest
      return position
    },
  }
}
