import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, type GroupAssignment } from '@platformatic/kafka'
import { markTraced, UnavailableError } from '@throughline/core'
import type { Assignment } from './assignment.ts'
import { cooperativeAssigner } from './assignor.ts'
import { createCoordinator } from './coordinator.ts'
import { hasApiId, isPermanent } from './errors.ts'
import { createHealth } from './health.ts'
import {
  commitAll,
  committedStarts,
  disconnect,
  findBrokers,
  type Membership,
  type MembershipOptions,
  silentFor,
} from './membership.ts'
import { within } from './notifier.ts'
import { type Connection, clientOptions } from './options.ts'

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

/** A member of a group by the classic protocol, with the cooperative assignor. */
export function createClassicGroup(connection: Connection, options: MembershipOptions): Membership {
  const { identity, group, instanceId, sessionTimeoutMs, lostAfterMs, onLost } = options
  const topics = [...options.topics]
  const rebalanceTimeoutMs = Math.max(sessionTimeoutMs, 30_000)
  let left = false

  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...clientOptions(connection),
    groupId: group,
    ...(instanceId === undefined ? {} : { groupInstanceId: instanceId }),
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
      await options.beforeAgreed(consumer.assignments ?? [], consumer.memberId !== null)
      return Buffer.alloc(0)
    },
  })
  markTraced(consumer)
  for (const topic of topics) consumer.topics.track(topic)
  consumer.memberId = identity.memberId

  const coordinator = createCoordinator(consumer, group, topics)
  const health = createHealth(lostAfterMs, onLost)
  let heartbeatAt = performance.now()
  consumer.on('consumer:heartbeat:start', () => {
    heartbeatAt = performance.now()
  })
  consumer.on('consumer:heartbeat:end', health.succeeded)
  consumer.on('consumer:heartbeat:error', ({ error }) => health.failed(error, heartbeatAt))
  consumer.on('consumer:heartbeat:stalled', ({ lastError, stalledFor }) => {
    onLost(lastError ?? new UnavailableError(silentFor(connection, stalledFor)))
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
        await findBrokers(consumer, connection, topics, lostAfterMs)
        await consumer.joinGroup({})
        return
      } catch (error) {
        const patienceMs = hasApiId(error, REJOIN) ? rebalanceTimeoutMs : lostAfterMs
        if (left || isPermanent(error) || performance.now() - began >= patienceMs) throw error
        await delay(REJOIN_PAUSE_MS)
      }
    }
  }

  async function commit(assignments: readonly Assignment[]): Promise<void> {
    const { memberId, generationId: generation } = consumer
    if (memberId === null) throw new UnavailableError(`not a member of the group ${group} at present`)
    if (options.seekTo === undefined) {
      const taken = assignments.map((assignment) => ({
        assignment,
        offset: assignment.offsets.committable(),
      }))
      const offsets = taken.map(({ assignment: { topic, partition }, offset }) => {
        return { topic, partition, offset, leaderEpoch: -1 }
      })
      await consumer.commit({ offsets })
      for (const { assignment, offset } of taken) assignment.committed = offset
      return
    }
    try {
      await commitAll(coordinator, { group, memberId, generation, instanceId: null }, assignments)
    } catch (error) {
      coordinator.forget()
      throw error
    }
  }

  function owns(topic: string, partition: number): boolean {
    return (
      consumer.assignments?.some((each) => each.topic === topic && each.partitions.includes(partition)) ??
      false
    )
  }

  async function leave(): Promise<void> {
    left = true
    // One that has a name is expected back: the group keeps its partitions for the session timeout.
    if (instanceId === undefined) {
      identity.memberId = null
      await within(
        Promise.resolve(consumer.leaveGroup(true)).catch(() => undefined),
        LEAVE_MS,
      )
    }
    await disconnect(consumer)
  }

  async function detach(): Promise<void> {
    left = true
    await disconnect(consumer)
  }

  const startsOf = (owned: readonly GroupAssignment[]) =>
    committedStarts(consumer, coordinator, options, owned)
  return { consumer, join, commit, startsOf, owns, leave, detach }
}
