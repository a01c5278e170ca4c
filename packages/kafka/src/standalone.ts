import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, type GroupAssignment } from '@platformatic/kafka'
import { markTraced, PermanentError } from '@throughline/core'
import { type Assignment, assignmentKey } from './assignment.ts'
import { isPermanent, isUnknownTopic, UNKNOWN_TOPIC_CODE } from './errors.ts'
import { disconnect, findBrokers, type Identity, type Membership, type Start } from './membership.ts'
import { type Connection, clientOptions, type KafkaStart } from './options.ts'
import { startOffset } from './start.ts'
import { UNKNOWN_TOPIC_GRACE_MS } from './topics.ts'

export interface StandaloneOptions {
  readonly identity: Identity
  readonly topics: readonly string[]
  readonly lostAfterMs: number
  readonly start: KafkaStart
  readonly onJoined: (owned: readonly GroupAssignment[]) => void
}

const RETRY_PAUSE_MS = 200

/**
 * Reading without a group: all partitions that the topics have now are ours, and what would be committed is remembered
 * in `identity`. The broker is asked for metadata, offsets and records, never for a group.
 */
export function createStandalone(connection: Connection, options: StandaloneOptions): Membership {
  const { identity, topics, lostAfterMs } = options
  // The driver wants a name; it is sent by what asks for groups alone.
  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...clientOptions(connection),
    groupId: 'none',
    autocommit: false,
  })
  markTraced(consumer)
  let closed = false

  async function join(): Promise<void> {
    const began = performance.now()
    while (!closed) {
      try {
        options.onJoined(await partitions())
        return
      } catch (error) {
        const isUnknown = isUnknownTopic(error)
        // One that has just been created is not known everywhere yet.
        const patienceMs = isUnknown ? Math.min(UNKNOWN_TOPIC_GRACE_MS, lostAfterMs) : lostAfterMs
        if (closed || isPermanent(error) || performance.now() - began >= patienceMs) {
          throw isUnknown ? unknownTopic(error) : error
        }
        await delay(RETRY_PAUSE_MS)
      }
    }
  }

  async function partitions(): Promise<readonly GroupAssignment[]> {
    const metadata = await findBrokers(consumer, connection, topics, lostAfterMs)
    return topics.map((topic) => ({
      topic,
      partitions: Array.from(
        { length: metadata.topics.get(topic)?.partitionsCount ?? 0 },
        (_, index) => index,
      ),
    }))
  }

  function unknownTopic(cause: unknown): PermanentError {
    const named = topics.length === 1 ? `topic ${topics[0]}` : `one of the topics ${topics.join(', ')}`
    const message = `Kafka at ${connection.address}: ${named} does not exist`
    return new PermanentError(message, { cause, code: UNKNOWN_TOPIC_CODE })
  }

  async function commit(assignments: readonly Assignment[]): Promise<void> {
    for (const assignment of assignments) {
      assignment.committed = assignment.offsets.committable()
      identity.offsets.set(assignmentKey(assignment.topic, assignment.partition), assignment.committed)
    }
  }

  async function startsOf(owned: readonly GroupAssignment[]): Promise<readonly Start[]> {
    return Promise.all(
      owned.flatMap(({ topic, partitions }) =>
        partitions.map(async (partition): Promise<Start> => {
          const known = identity.offsets.get(assignmentKey(topic, partition))
          if (known !== undefined) return { topic, partition, offset: known, committed: known, sought: null }
          const offset = await startOffset(consumer, topic, partition, options.start)
          return { topic, partition, offset, committed: null, sought: null }
        }),
      ),
    )
  }

  async function leave(): Promise<void> {
    closed = true
    await disconnect(consumer)
  }

  return { consumer, join, commit, startsOf, owns: () => !closed, leave, detach: leave }
}
