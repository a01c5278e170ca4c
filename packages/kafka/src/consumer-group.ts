import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, consumerGroupHeartbeatV1, type GroupAssignment } from '@platformatic/kafka'
import { markTraced, PermanentError } from '@throughline/core'
import type { Assignment } from './assignment.ts'
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
} from './membership.ts'
import { within } from './notifier.ts'
import { type Connection, clientOptions } from './options.ts'

/** One partition as the group names it: the topic's id, and the number. */
interface Place {
  readonly topicId: string
  readonly partition: number
}

const JOINING = 0
const LEAVING = -1
/** Of a member that has a name and is expected back. */
const LEAVING_FOR_A_WHILE = -2
const RETRY_PAUSE_MS = 200
const LEAVE_MS = 1000
const HEARTBEAT_API = 'ConsumerGroupHeartbeat'
/** The group goes on without us: what we had may be others' already. */
const THROWN_OUT: ReadonlySet<string> = new Set(['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'])
const STALE: ReadonlySet<string> = new Set(['STALE_MEMBER_EPOCH'])
/** Errors that pass while the group settles. Of a name that its last bearer did not give back: after its session. */
const PASSING: ReadonlySet<string> = new Set([
  ...THROWN_OUT,
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'UNRELEASED_INSTANCE_ID',
])

/**
 * A member of a group by the consumer protocol (KIP-848). The broker says in the answers to heartbeats which partitions
 * are to be ours, and gives one that we are to lose to nobody until a heartbeat of ours comes without it: only after what
 * was settled of it is committed. Why the driver's own loop is not used is in RATIONALE.md.
 */
export function createConsumerGroup(connection: Connection, options: MembershipOptions): Membership {
  const { identity, group, instanceId = null, lostAfterMs, onJoined, onLost } = options
  const topics = [...options.topics]
  const rebalanceTimeoutMs = Math.max(30_000, options.revokeGraceMs + 10_000)
  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...clientOptions(connection),
    groupId: group,
    requestTimeout: Math.max(1000, lostAfterMs),
    autocommit: false,
  })
  markTraced(consumer)
  for (const topic of topics) consumer.topics.track(topic)
  identity.memberId ??= randomUUID()
  const memberId = identity.memberId

  const health = createHealth(lostAfterMs, lost)
  const coordinator = createCoordinator(consumer, group, topics)
  /** Counts our memberships: what was begun in an earlier one means nothing any more. */
  let term = 0
  let epoch = JOINING
  let intervalMs = 1000
  /** What we have, and say so. */
  let owned: readonly Place[] = []
  /** What the broker wants us to have. */
  let wanted: readonly Place[] = []
  let names: ReadonlyMap<string, string> = new Map()
  let reconciling: Promise<void> | null = null
  let due = false
  /** Ends the pause before the next heartbeat. */
  let pause = new AbortController()
  let left = false

  async function join(): Promise<void> {
    const began = performance.now()
    for (;;) {
      try {
        await findBrokers(consumer, connection, topics, lostAfterMs)
        await requireProtocol()
        await beat()
        await reconciling
        void keepBeating()
        return
      } catch (error) {
        coordinator.forget()
        const patienceMs = hasApiId(error, PASSING) ? rebalanceTimeoutMs : lostAfterMs
        if (left || isPermanent(error) || performance.now() - began >= patienceMs) throw error
        await delay(RETRY_PAUSE_MS)
      }
    }
  }

  async function requireProtocol(): Promise<void> {
    const api = (await consumer.listApis()).find(({ name }) => name === HEARTBEAT_API)
    if (api !== undefined && api.maxVersion >= 1) return
    const message = `Kafka at ${connection.address} does not know the consumer group protocol (KIP-848, from 4.0 on): use groupProtocol classic`
    throw new PermanentError(message, { code: 'TL_KAFKA_REFUSED' })
  }

  async function keepBeating(): Promise<void> {
    while (!left) {
      pause = new AbortController()
      if (!due) await delay(intervalMs, undefined, { signal: pause.signal }).catch(() => undefined)
      due = false
      const startedAt = performance.now()
      try {
        if (!left) await beat()
        health.succeeded()
      } catch (error) {
        if (left) return
        coordinator.forget()
        if (isPermanent(error)) return lost(error)
        if (hasApiId(error, THROWN_OUT)) startAnew()
        else health.failed(error, startedAt)
        await delay(RETRY_PAUSE_MS)
        due = true
      }
    }
  }

  function beatSoon(): void {
    due = true
    pause.abort()
  }

  /** Everything is said each time, so that an answer that was lost is no loss. */
  async function beat(): Promise<void> {
    const began = term
    const answer = await consumerGroupHeartbeatV1.api.async(
      await coordinator.reach(),
      group,
      memberId,
      epoch,
      instanceId,
      null,
      rebalanceTimeoutMs,
      topics,
      null,
      null,
      byTopic(owned),
    )
    if (left || began !== term) return
    epoch = answer.memberEpoch
    if (answer.heartbeatIntervalMs > 0) intervalMs = answer.heartbeatIntervalMs
    if (answer.assignment !== null) {
      wanted = answer.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
        partitions.map((partition) => ({ topicId, partition })),
      )
    }
    reconciling ??= reconcile()
      .catch(lost)
      .finally(() => {
        reconciling = null
      })
  }

  /** First what is to go is given up and the group told so, then what is new is taken. Heartbeats go on meanwhile. */
  async function reconcile(): Promise<void> {
    while (!left) {
      const began = term
      await learnNames(wanted)
      const known = wanted.filter(({ topicId }) => names.has(topicId))
      const kept = owned.filter((place) => includes(known, place))
      if (kept.length === owned.length && kept.length === known.length) return
      if (kept.length < owned.length) await options.beforeAgreed(named(kept), true)
      if (left || began !== term) continue
      if (kept.length === owned.length) {
        owned = known
        onJoined(named(owned))
      } else owned = kept
      beatSoon()
    }
  }

  function startAnew(): void {
    term++
    epoch = JOINING
    owned = []
    wanted = []
    onJoined([])
  }

  /** A topic that was made a moment ago may be unknown yet: its partitions are taken at a later heartbeat. */
  async function learnNames(places: readonly Place[]): Promise<void> {
    if (places.every(({ topicId }) => names.has(topicId))) return
    const metadata = await consumer.metadata({ topics: [...topics], forceUpdate: true }).catch(() => null)
    if (metadata !== null) names = new Map([...metadata.topics].map(([name, { id }]) => [id, name]))
  }

  function named(places: readonly Place[]): readonly GroupAssignment[] {
    return byTopic(places).map(({ topicId, partitions }) => ({ topic: names.get(topicId) ?? '', partitions }))
  }

  /** On the heartbeats' own connection, which answers in order: one that was sent before a revocation was agreed to counts before it. */
  async function commit(assignments: readonly Assignment[]): Promise<void> {
    for (;;) {
      const ours = assignments.filter(({ signal }) => !signal.aborted)
      if (ours.length === 0) return
      const generation = epoch
      try {
        await commitAll(coordinator, { group, memberId, generation, instanceId }, ours)
        return
      } catch (error) {
        // A heartbeat of the same moment moved the group on, and us with it.
        if (left || !hasApiId(error, STALE) || generation === epoch) throw error
      }
    }
  }

  function owns(topic: string, partition: number): boolean {
    return owned.some((place) => place.partition === partition && names.get(place.topicId) === topic)
  }

  function lost(error: unknown): void {
    if (!left) onLost(error)
  }

  async function leave(): Promise<void> {
    const wasMember = epoch > JOINING
    stop()
    if (instanceId === null) identity.memberId = null
    if (wasMember)
      await within(
        sayGoodbye().catch(() => undefined),
        LEAVE_MS,
      )
    await disconnect(consumer)
  }

  async function sayGoodbye(): Promise<void> {
    const goodbye = instanceId === null ? LEAVING : LEAVING_FOR_A_WHILE
    const api = consumerGroupHeartbeatV1.api
    await api.async(
      await coordinator.reach(),
      group,
      memberId,
      goodbye,
      instanceId,
      null,
      -1,
      null,
      null,
      null,
      [],
    )
  }

  async function detach(): Promise<void> {
    stop()
    await disconnect(consumer)
  }

  function stop(): void {
    left = true
    pause.abort()
  }

  const startsOf = (places: readonly GroupAssignment[]) =>
    committedStarts(consumer, coordinator, options, places)
  return { consumer, join, commit, startsOf, owns, leave, detach }
}

function includes(places: readonly Place[], { topicId, partition }: Place): boolean {
  return places.some((each) => each.topicId === topicId && each.partition === partition)
}

function byTopic(places: readonly Place[]) {
  return [...Map.groupBy(places, ({ topicId }) => topicId)].map(([topicId, those]) => ({
    topicId,
    partitions: those.map(({ partition }) => partition),
  }))
}
