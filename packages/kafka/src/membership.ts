import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, type GroupAssignment } from '@platformatic/kafka'
import { UnavailableError } from '@throughline/core'
import type { Assignment } from './assignment.ts'
import { cooperativeAssigner } from './assignor.ts'
import { hasApiId, isPermanent } from './errors.ts'
import { createHealth } from './health.ts'
import { within } from './notifier.ts'
import { type Connection, clientOptions, type KafkaStart } from './options.ts'
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
  /** Awaited before the group is told that we agree to `owned`: here what is left out of it is committed and given up. */
  readonly beforeJoin: (owned: readonly GroupAssignment[]) => Promise<void>
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

const HEARTBEAT_MS = 1000
const REJOIN_PAUSE_MS = 200
const LEAVE_MS = 1000
/** Errors that are a group's normal life: joining again mends them. */
const REJOIN: ReadonlySet<string> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR',
  'REBALANCE_IN_PROGRESS',
  'UNKNOWN_MEMBER_ID',
])

export function createMembership(connection: Connection, options: MembershipOptions): Membership {
  const { identity, group, sessionTimeoutMs, lostAfterMs, onLost } = options
  const topics = [...options.topics]
  const rebalanceTimeoutMs = Math.max(sessionTimeoutMs, 30_000)
  let left = false

  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...clientOptions(connection),
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 3),
    heartbeatStallTimeout: Math.max(lostAfterMs, sessionTimeoutMs / 2),
    // The broker answers JoinGroup when all members have joined.
    requestTimeout: rebalanceTimeoutMs + 5000,
    autocommit: false,
    protocols: [{ name: 'cooperative-sticky', version: 3 }],
    partitionAssigner: cooperativeAssigner,
    // The one place where the driver waits for us before it agrees to a revocation. See RATIONALE.md.
    async protocolsMetadata() {
      await options.beforeJoin(consumer.assignments ?? [])
      return Buffer.alloc(0)
    },
  })
  for (const topic of topics) consumer.topics.track(topic)
  consumer.memberId = identity.memberId

  const health = createHealth(lostAfterMs, onLost)
  let heartbeatAt = performance.now()
  consumer.on('consumer:heartbeat:start', () => {
    heartbeatAt = performance.now()
  })
  consumer.on('consumer:heartbeat:end', health.succeeded)
  consumer.on('consumer:heartbeat:error', ({ error }) => health.failed(error, heartbeatAt))
  consumer.on('consumer:heartbeat:stalled', ({ lastError, stalledFor }) => {
    onLost(lastError ?? new UnavailableError(silent(stalledFor)))
  })
  consumer.on('consumer:group:join', ({ assignments = [] }) => {
    health.succeeded()
    identity.memberId = consumer.memberId
    options.onJoined(assignments)
  })
  // The driver gives up a rejoin after its first failure.
  consumer.on('error', () => void rejoin())

  async function rejoin(): Promise<void> {
    try {
      await join()
    } catch (error) {
      onLost(error)
    }
  }

  async function join(): Promise<void> {
    const began = performance.now()
    while (!left) {
      try {
        await findBrokers()
        await consumer.joinGroup({})
        return
      } catch (error) {
        const patienceMs = hasApiId(error, REJOIN) ? rebalanceTimeoutMs : lostAfterMs
        if (left || isPermanent(error) || performance.now() - began >= patienceMs) throw error
        await delay(REJOIN_PAUSE_MS)
      }
    }
  }

  /** A broker that takes connections and answers nothing would hold JoinGroup for its long time limit. */
  async function findBrokers(): Promise<void> {
    const found = consumer.metadata({ topics: [...topics], forceUpdate: true })
    found.catch(() => undefined)
    const timeoutMs = connection.connectTimeoutMs + lostAfterMs
    if (!(await within(found, timeoutMs))) throw new UnavailableError(silent(timeoutMs))
  }

  function silent(timeoutMs: number): string {
    return `Kafka at ${connection.address} has not answered for ${timeoutMs} ms`
  }

  async function commit(assignments: readonly Assignment[]): Promise<void> {
    const taken = assignments.map((assignment) => ({ assignment, offset: assignment.offsets.committable() }))
    const offsets = taken.map(({ assignment: { topic, partition }, offset }) => {
      return { topic, partition, offset, leaderEpoch: -1 }
    })
    await consumer.commit({ offsets })
    for (const { assignment, offset } of taken) assignment.committed = offset
  }

  async function startsOf(owned: readonly GroupAssignment[]): Promise<readonly Start[]> {
    if (owned.length === 0) return []
    const committed = await consumer.listCommittedOffsets({ topics: owned.map((each) => ({ ...each })) })
    return Promise.all(
      owned.flatMap(({ topic, partitions }) =>
        partitions.map(async (partition): Promise<Start> => {
          const known = committed.get(topic)?.[partition] ?? -1n
          if (known >= 0n) return { topic, partition, offset: known, committed: known }
          const offset = await startOffset(consumer, topic, partition, options.start)
          return { topic, partition, offset, committed: null }
        }),
      ),
    )
  }

  function owns(topic: string, partition: number): boolean {
    return (
      consumer.assignments?.some((each) => each.topic === topic && each.partitions.includes(partition)) ??
      false
    )
  }

  async function leave(): Promise<void> {
    left = true
    identity.memberId = null
    await within(
      Promise.resolve(consumer.leaveGroup(true)).catch(() => undefined),
      LEAVE_MS,
    )
    await detach()
  }

  async function detach(): Promise<void> {
    left = true
    // Connections first: the driver leaves the group on closing where it still has one.
    await within(
      consumer.connections.close().catch(() => undefined),
      LEAVE_MS,
    )
    await within(
      consumer.close(true).catch(() => undefined),
      LEAVE_MS,
    )
  }

  return { consumer, join, commit, startsOf, owns, leave, detach }
}
