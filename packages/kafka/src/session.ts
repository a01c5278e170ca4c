import type { GroupAssignment } from '@platformatic/kafka'
import { type ThroughlineError, UnavailableError } from '@throughline/core'
import { type Assignment, assignmentKey, createAssignment } from './assignment.ts'
import { createClassicGroup } from './classic-group.ts'
import { createCommitter } from './committer.ts'
import { createConsumerGroup } from './consumer-group.ts'
import { isPermanent, kafkaError } from './errors.ts'
import { createFetcher, type Fetched } from './fetcher.ts'
import type { Identity, Membership, Start } from './membership.ts'
import { createNotifier, within } from './notifier.ts'
import type { Connection, KafkaSeek, KafkaSubscriberOptions } from './options.ts'
import { createStandalone } from './standalone.ts'
import { backoffMs, pause } from './topics.ts'

export type SessionOptions = Required<Omit<KafkaSubscriberOptions, 'group' | 'instanceId' | 'seekTo'>> & {
  readonly group: string | undefined
  readonly instanceId: string | undefined
  readonly seekTo: KafkaSeek | undefined
}

/** One connection of a subscriber, from joining the group until it is lost or closed. */
export interface Session {
  /** What has been read, at most `window` unsettled; ends by the signal or `close`, throws when the connection is lost. */
  read(signal?: AbortSignal): AsyncGenerator<readonly Fetched[]>
  /** Something was settled. */
  settled(): void
  /** Commits, leaves, disconnects. Idempotent, never rejects. */
  close(): Promise<void>
  readonly ended: boolean
}

const FINAL_COMMIT_MS = 3000

/** Joins the group, or takes all partitions where there is none. Throws UnavailableError or PermanentError when that is not possible. `stop` ends it, also while it joins. */
export async function openSession(
  connection: Connection,
  options: SessionOptions,
  identity: Identity,
  stop: AbortSignal,
): Promise<Session> {
  const { group, window, start, revokeGraceMs } = options
  const assignments = new Map<string, Assignment>()
  const changed = createNotifier()
  /** Read and not handed out. */
  let buffer: readonly Fetched[] = []
  let failure: ThroughlineError | null = null
  let ending: Promise<void> | null = null
  /** Rebalances follow each other while starts are still being asked for. */
  let assigning: Promise<void> = Promise.resolve()

  const reader = group === undefined ? `the reader of ${options.topics.join(', ')}` : `the group ${group}`
  const join = options.groupProtocol === 'consumer' ? createConsumerGroup : createClassicGroup
  const membership: Membership =
    group === undefined
      ? createStandalone(connection, { ...options, identity, onJoined })
      : join(connection, { ...options, group, identity, beforeAgreed, onJoined, onLost })
  const fetcher = createFetcher(connection, membership, {
    ...options,
    assignments: () => assignments.values(),
    onFetched(records) {
      buffer = buffer.length === 0 ? records : [...buffer, ...records]
      changed.notify()
    },
    onRewound(assignment, position) {
      drop(assignment, 'its log was cut')
      add(createAssignment(assignment.topic, assignment.partition, position, null, assignment.sought))
    },
    onLost,
  })
  const committer = createCommitter({
    intervalMs: options.commitIntervalMs,
    assignments: () => [...assignments.values()],
    commit: membership.commit,
  })

  /** Done before the group is told that it may give our partitions away. */
  async function beforeAgreed(owned: readonly GroupAssignment[], isMember: boolean): Promise<void> {
    const revoked = notIn(owned)
    if (revoked.length === 0) return
    for (const assignment of revoked) assignment.revoking = true
    buffer = buffer.filter(({ assignment }) => !assignment.revoking)
    // Thrown out, there is nothing to wait for: others read those partitions by now, and would not see our commit.
    const deadline = performance.now() + (isMember ? revokeGraceMs : 0)
    const isOut = ({ signal, offsets }: Assignment) => !signal.aborted && offsets.unsettled > 0
    while (ending === null && revoked.some(isOut)) {
      if (!(await within(changed.wait(), deadline - performance.now()))) break
    }
    await within(committer.flush(), FINAL_COMMIT_MS)
    for (const assignment of revoked) drop(assignment, 'the group gave it to another member')
    changed.notify()
  }

  function onJoined(owned: readonly GroupAssignment[]): void {
    // Gone without having been revoked: we had been silent for too long and others may be reading it already.
    for (const assignment of notIn(owned)) drop(assignment, 'the group took it away')
    assigning = assigning.then(() => assign(owned)).catch(onLost)
  }

  async function assign(owned: readonly GroupAssignment[]): Promise<void> {
    const added = owned.flatMap(({ topic, partitions }) => {
      const fresh = partitions.filter((partition) => !assignments.has(assignmentKey(topic, partition)))
      return fresh.length === 0 ? [] : [{ topic, partitions: fresh }]
    })
    for (const { topic, partition, offset, committed, sought } of await findStarts(added)) {
      if (membership.owns(topic, partition) && ending === null) {
        add(createAssignment(topic, partition, offset, committed, sought))
      }
    }
    // What `latest` meant when the group began is kept, and so is a seek: after a crash it would mean something later.
    if (start === 'latest' || options.seekTo !== undefined) committer.request()
    changed.notify()
  }

  /** A leader that is just moving, or a topic that has just been made, is no lost connection. */
  async function findStarts(added: readonly GroupAssignment[]): Promise<readonly Start[]> {
    const began = performance.now()
    for (let failures = 1; ; failures++) {
      try {
        return await membership.startsOf(added)
      } catch (error) {
        const isOver = ending !== null || performance.now() - began >= options.lostAfterMs
        if (isOver || isPermanent(error)) throw error
        await pause(backoffMs(failures))
      }
    }
  }

  function notIn(owned: readonly GroupAssignment[]): readonly Assignment[] {
    const kept = new Set(
      owned.flatMap(({ topic, partitions }) => partitions.map((each) => assignmentKey(topic, each))),
    )
    return [...assignments.values()].filter(
      ({ topic, partition }) => !kept.has(assignmentKey(topic, partition)),
    )
  }

  function add(assignment: Assignment): void {
    assignments.set(assignmentKey(assignment.topic, assignment.partition), assignment)
  }

  function drop(assignment: Assignment, why: string): void {
    const { topic, partition } = assignment
    const key = assignmentKey(topic, partition)
    // It may be ours again since, from another offset.
    if (assignments.get(key) === assignment) assignments.delete(key)
    buffer = buffer.filter((each) => each.assignment !== assignment)
    assignment.abandon(new UnavailableError(`${topic}[${partition}] is no longer ours: ${why}`))
  }

  function onLost(error: unknown): void {
    if (ending !== null) return
    failure = kafkaError(error, connection, `${reader} lost its connection`)
    void close()
  }

  function onStop(): void {
    void close()
  }

  function close(): Promise<void> {
    ending ??= end()
    changed.notify()
    return ending
  }

  async function end(): Promise<void> {
    // It outlives the session, and would keep it with all that it has read.
    stop.removeEventListener('abort', onStop)
    // After a loss there is nobody to commit to; the group would only be kept waiting.
    if (failure === null || group === undefined) await within(committer.flush(), FINAL_COMMIT_MS)
    committer.close()
    for (const assignment of [...assignments.values()]) drop(assignment, 'the subscriber has disconnected')
    await fetcher.close()
    if (failure instanceof UnavailableError) await membership.detach()
    else await membership.leave()
  }

  function unsettled(): number {
    let count = 0
    for (const { offsets } of assignments.values()) count += offsets.unsettled
    return count
  }

  /** Hands out what the window has room for. */
  function take(): readonly Fetched[] {
    const room = window - unsettled()
    if (room <= 0 || buffer.length === 0) return []
    const taken = buffer.length <= room ? buffer : buffer.slice(0, room)
    buffer = buffer.slice(taken.length)
    for (const { assignment, offset } of taken) assignment.offsets.deliver(offset)
    return taken
  }

  async function* read(signal?: AbortSignal): AsyncGenerator<readonly Fetched[]> {
    const onAbort = () => changed.notify()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      while (ending === null && !signal?.aborted) {
        const waiting = changed.wait()
        const taken = take()
        // One fetch ahead of who reads, never more: the next one is on its way while these are handled.
        if (buffer.length === 0) {
          for (const { offsets, position } of assignments.values()) offsets.advance(position)
          fetcher.fill()
        }
        if (taken.length > 0) yield taken
        else await waiting
      }
      if (failure !== null) throw failure
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  stop.addEventListener('abort', onStop)
  try {
    if (stop.aborted) await close()
    await membership.join()
    await assigning
  } catch (error) {
    failure ??= kafkaError(
      error,
      connection,
      `${reader} could not be ${group === undefined ? 'started' : 'joined'}`,
    )
    await close()
    throw failure
  }
  if (ending !== null)
    throw failure ?? new UnavailableError('the Kafka subscriber was closed while it joined')
  return {
    read,
    settled() {
      committer.request()
      changed.notify()
    },
    close,
    get ended() {
      return ending !== null
    },
  }
}
