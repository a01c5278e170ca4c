import { createOffsets, type Offsets } from './offsets.ts'
import type { Sought } from './seek.ts'

/** A partition that is ours, from the moment its start is known until it is revoked, lost or closed. */
export interface Assignment {
  readonly topic: string
  readonly partition: number
  readonly offsets: Offsets
  /** Aborted when the partition is no longer ours; nothing of it is read, settled or committed any more. */
  readonly signal: AbortSignal
  /** The next offset to be fetched. */
  position: bigint
  /** What the group has committed, as far as we know; null before the first time. */
  committed: bigint | null
  /** The seek that began it; committed with every offset. */
  readonly sought: Sought | null
  /** Being revoked: nothing more is read or handed out, what is out may still be settled. */
  revoking: boolean
  abandon(reason: Error): void
}

export function createAssignment(
  topic: string,
  partition: number,
  start: bigint,
  committed: bigint | null,
  sought: Sought | null = null,
): Assignment {
  const abort = new AbortController()
  return {
    topic,
    partition,
    offsets: createOffsets(start),
    signal: abort.signal,
    position: start,
    committed,
    sought,
    revoking: false,
    abandon: (reason) => abort.abort(reason),
  }
}

export function assignmentKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
