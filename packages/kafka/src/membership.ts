import {
  type ClusterMetadata,
  type Consumer,
  type GroupAssignment,
  offsetCommitV9,
} from '@platformatic/kafka'
import { UnavailableError } from '@throughline/core'
import { type Assignment, assignmentKey } from './assignment.ts'
import type { Coordinator } from './coordinator.ts'
import { within } from './notifier.ts'
import type { Connection, KafkaSeek, KafkaStart } from './options.ts'
import { type Committed, fetchCommitted, type Sought, seekOffset, writeSought } from './seek.ts'
import { startOffset } from './start.ts'

/** Who we are, over connections. */
export interface Identity {
  /** To the group: a member that comes back by its id is not waited for as a lost one. */
  memberId: string | null
  /** Without a group: the next offset of each partition, which nobody else remembers. */
  readonly offsets: Map<string, bigint>
}

export interface MembershipOptions {
  readonly identity: Identity
  readonly topics: readonly string[]
  readonly group: string
  readonly sessionTimeoutMs: number
  readonly lostAfterMs: number
  readonly start: KafkaStart
  readonly seekTo: KafkaSeek | undefined
  /** The group keeps the partitions of the member of this name while it restarts. */
  readonly instanceId: string | undefined
  readonly revokeGraceMs: number
  /**
   * Awaited before the group is told that we agree to `owned`: here what is left out of it is committed and given up.
   * `isMember` is false when the group has thrown us out: others read those partitions by now.
   */
  readonly beforeAgreed: (owned: readonly GroupAssignment[], isMember: boolean) => Promise<void>
  /** The group has settled on this. */
  readonly onJoined: (owned: readonly GroupAssignment[]) => void
  readonly onLost: (error: unknown) => void
}

/** Where a partition is read from, and whether that was committed or follows from `start`. */
export interface Start {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly committed: bigint | null
  readonly sought: Sought | null
}

/** Our place among the readers of the topics: joining, heartbeats, rebalancing, offsets. Reads no records. */
export interface Membership {
  readonly consumer: Consumer
  /** Throws the driver's error when the group cannot be joined. */
  join(): Promise<void>
  /** Throws the driver's error. A rebalance in between is one: the offsets are to be offered again. */
  commit(assignments: readonly Assignment[]): Promise<void>
  startsOf(owned: readonly GroupAssignment[]): Promise<readonly Start[]>
  /** Whether the partition is still ours to read. */
  owns(topic: string, partition: number): boolean
  /** Bounded: a broker that is gone cannot hold it up. Never rejects. */
  leave(): Promise<void>
  /** Disconnects without leaving, to come back by the same member id. Never rejects. */
  detach(): Promise<void>
}

const CLOSE_MS = 1000

/** Where reading goes on: where the seek goes if it has not been made, else at what the group has committed, else at `start`. Throws the driver's error. */
export async function committedStarts(
  consumer: Consumer,
  coordinator: Coordinator,
  { group, start, seekTo }: Pick<MembershipOptions, 'group' | 'start' | 'seekTo'>,
  owned: readonly GroupAssignment[],
): Promise<readonly Start[]> {
  if (owned.length === 0) return []
  const committed = await (seekTo === undefined
    ? listCommitted(consumer, owned)
    : fetchCommitted(coordinator, group, owned))
  async function startOf(topic: string, partition: number): Promise<Start> {
    const known = committed.get(assignmentKey(topic, partition))
    if (seekTo !== undefined && known?.sought?.name !== seekTo.name) {
      const offset = await seekOffset(consumer, topic, partition, seekTo.to)
      const sought = { name: seekTo.name, until: known?.offset ?? 0n }
      if (offset !== null) return { topic, partition, offset, committed: null, sought }
    }
    if (known !== undefined) {
      return { topic, partition, offset: known.offset, committed: known.offset, sought: known.sought }
    }
    const offset = await startOffset(consumer, topic, partition, start)
    return { topic, partition, offset, committed: null, sought: null }
  }
  return Promise.all(
    owned.flatMap(({ topic, partitions }) => partitions.map((partition) => startOf(topic, partition))),
  )
}

async function listCommitted(
  consumer: Consumer,
  owned: readonly GroupAssignment[],
): Promise<ReadonlyMap<string, Committed>> {
  const listed = await consumer.listCommittedOffsets({ topics: owned.map((each) => ({ ...each })) })
  const known = [...listed].flatMap(([topic, offsets]) =>
    offsets.flatMap((offset, partition): [string, Committed][] =>
      offset < 0n ? [] : [[assignmentKey(topic, partition), { offset, sought: null }]],
    ),
  )
  return new Map(known)
}

/** Who commits: a member, and its generation or epoch in the group. */
export interface Committing {
  readonly group: string
  readonly memberId: string
  readonly generation: number
  readonly instanceId: string | null
}

/** Commits what of the assignments is settled, with the seeks that began them. Throws the driver's error. */
export async function commitAll(
  coordinator: Coordinator,
  { group, memberId, generation, instanceId }: Committing,
  assignments: readonly Assignment[],
): Promise<void> {
  const taken = assignments.map((assignment) => ({ assignment, offset: assignment.offsets.committable() }))
  const topics = [...Map.groupBy(taken, ({ assignment: { topic } }) => topic)].map(([name, those]) => ({
    name,
    partitions: those.map(({ assignment: { partition, sought }, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: writeSought(sought),
    })),
  }))
  const connection = await coordinator.reach()
  await offsetCommitV9.api.async(connection, group, generation, memberId, instanceId, topics)
  for (const { assignment, offset } of taken) assignment.committed = offset
}

/** The cluster as it is. A broker that takes connections and answers nothing would hold other requests for their long time limits. */
export async function findBrokers(
  consumer: Consumer,
  connection: Connection,
  topics: readonly string[],
  lostAfterMs: number,
): Promise<ClusterMetadata> {
  const found = consumer.metadata({ topics: [...topics], forceUpdate: true })
  found.catch(() => undefined)
  const timeoutMs = connection.connectTimeoutMs + lostAfterMs
  if (await within(found, timeoutMs)) return found
  throw new UnavailableError(silentFor(connection, timeoutMs))
}

export function silentFor({ address }: Connection, timeoutMs: number): string {
  return `Kafka at ${address} has not answered for ${timeoutMs} ms`
}

/** Bounded; never rejects. Connections first: the driver leaves the group on closing where it still has one. */
export async function disconnect(consumer: Consumer): Promise<void> {
  await within(
    consumer.connections.close().catch(() => undefined),
    CLOSE_MS,
  )
  await within(
    consumer.close(true).catch(() => undefined),
    CLOSE_MS,
  )
}
