import { ConnectionPool, type fetchV17, type KafkaRecord, type RecordsBatch } from '@platformatic/kafka'
import { type Assignment, assignmentKey } from './assignment.ts'
import { hasApiId } from './errors.ts'
import { createHealth } from './health.ts'
import type { Membership } from './membership.ts'
import { within } from './notifier.ts'
import { type Connection, clientOptions, type KafkaStart } from './options.ts'
import { startOffset } from './start.ts'
import { backoffMs } from './topics.ts'

/** A record as it was read. */
export interface Fetched {
  readonly assignment: Assignment
  readonly offset: bigint
  /** Undefined where the record has none, as those of producers before Kafka 0.10. */
  readonly timestampMs: number | undefined
  readonly record: KafkaRecord
}

export interface FetcherOptions {
  readonly maxFetchBytes: number
  readonly lostAfterMs: number
  readonly start: KafkaStart
  readonly assignments: () => Iterable<Assignment>
  readonly onFetched: (records: readonly Fetched[]) => void
  /** The log was cut below where we read, as when a topic is made anew: the partition begins again. */
  readonly onRewound: (assignment: Assignment, position: bigint) => void
  readonly onLost: (error: unknown) => void
}

/** Reads the assigned partitions, one request a broker at a time, when asked to. */
export interface Fetcher {
  /** Sends a fetch to each broker that has none under way. What it finds comes by `onFetched`, possibly nothing. */
  fill(): void
  /** Gives up what is under way. Never rejects. */
  close(): Promise<void>
}

const MAX_WAIT_MS = 500
const CLOSE_MS = 1000
const OUT_OF_RANGE: ReadonlySet<string> = new Set(['OFFSET_OUT_OF_RANGE'])
const CONTROL = 1 << 5
const LOG_APPEND_TIME = 1 << 3

export function createFetcher(
  connection: Connection,
  { consumer }: Pick<Membership, 'consumer'>,
  options: FetcherOptions,
): Fetcher {
  const { maxFetchBytes, lostAfterMs, onFetched, onRewound } = options
  // Its own connections: a broker answers one request at a time, and a fetch may wait where a heartbeat must not.
  const { clientId, bootstrapBrokers: _, retries: __, ...network } = clientOptions(connection)
  const pool = new ConnectionPool(clientId, { ...network, requestTimeout: MAX_WAIT_MS + lostAfterMs })
  const health = createHealth(lostAfterMs, options.onLost)
  const busy = new Set<number>()
  let locating = false
  let again = false
  let failures = 0
  let pausedUntil = 0
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function fill(): void {
    if (closed) return
    if (locating) {
      // For what was assigned since it began to look.
      again = true
      return
    }
    const waitMs = pausedUntil - performance.now()
    if (waitMs > 0) {
      timer ??= setTimeout(() => {
        timer = undefined
        fill()
      }, waitMs)
      return
    }
    void locate()
  }

  /** Finds the leaders and sends each one its fetch. */
  async function locate(): Promise<void> {
    const assignments = [...options.assignments()]
    if (assignments.length === 0) return
    const startedAt = performance.now()
    locating = true
    try {
      const { topics } = await consumer.metadata({
        topics: [...new Set(assignments.map(({ topic }) => topic))],
      })
      const byLeader = Map.groupBy(
        assignments,
        ({ topic, partition }) => topics.get(topic)?.partitions[partition]?.leader ?? -1,
      )
      for (const [leader, those] of byLeader) {
        if (leader < 0)
          throw new Error(`no leader for ${those.map((each) => assignmentKey(each.topic, each.partition))}`)
        if (!busy.has(leader)) void fetch(leader, those, (topic) => topics.get(topic)?.id ?? '')
      }
    } catch (error) {
      failed(error, startedAt)
    } finally {
      locating = false
    }
    if (!again) return
    again = false
    fill()
  }

  async function fetch(
    node: number,
    assignments: readonly Assignment[],
    idOf: (topic: string) => string,
  ): Promise<void> {
    const ours = assignments.filter(({ signal, revoking }) => !signal.aborted && !revoking)
    if (closed || ours.length === 0) return
    busy.add(node)
    const startedAt = performance.now()
    const byId = new Map(ours.map((each) => [assignmentKey(idOf(each.topic), each.partition), each]))
    const topics = [...Map.groupBy(ours, ({ topic }) => topic)].map(([topic, those]) => ({
      topicId: idOf(topic),
      partitions: those.map(({ partition, position }) => ({
        partition,
        fetchOffset: position,
        partitionMaxBytes: Math.min(maxFetchBytes, 1_048_576),
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
      })),
    }))
    try {
      const response = await consumer.fetch({
        node,
        topics,
        connectionPool: pool,
        maxWaitTime: MAX_WAIT_MS,
        minBytes: 1,
        maxBytes: maxFetchBytes,
      })
      failures = 0
      health.succeeded()
      busy.delete(node)
      if (!closed) onFetched(recordsOf(response, byId))
    } catch (error) {
      if (hasApiId(error, OUT_OF_RANGE)) await seek(ours, startedAt)
      busy.delete(node)
      failed(error, startedAt)
    }
  }

  function failed(error: unknown, startedAt: number): void {
    if (closed) return
    pausedUntil = performance.now() + backoffMs(++failures)
    health.failed(error, startedAt)
    if (!closed) onFetched([])
  }

  /** Positions that the log does not have (any more): retention passed them by, or the topic was made anew. */
  async function seek(assignments: readonly Assignment[], startedAt: number): Promise<void> {
    try {
      for (const assignment of assignments) {
        const { topic, partition } = assignment
        const earliest = await startOffset(consumer, topic, partition, 'earliest')
        const latest = await startOffset(consumer, topic, partition, 'latest')
        // Given away while we asked: what has another owner would be read here as well.
        if (assignment.signal.aborted || assignment.revoking) continue
        if (assignment.position >= earliest && assignment.position <= latest) continue
        const position = options.start === 'latest' ? latest : earliest
        if (position < assignment.position) onRewound(assignment, position)
        else advance(assignment, position)
      }
    } catch (error) {
      health.failed(error, startedAt)
    }
  }

  async function close(): Promise<void> {
    closed = true
    clearTimeout(timer)
    await within(
      pool.close().catch(() => undefined),
      CLOSE_MS,
    )
  }

  return { fill, close }
}

function recordsOf(
  response: fetchV17.FetchResponse,
  byId: ReadonlyMap<string, Assignment>,
): readonly Fetched[] {
  const fetched: Fetched[] = []
  for (const { topicId, partitions } of response.responses) {
    for (const { partitionIndex, records: batches } of partitions) {
      const assignment = byId.get(assignmentKey(topicId, partitionIndex))
      if (assignment === undefined || assignment.signal.aborted || assignment.revoking) continue
      for (const batch of batches ?? []) readBatch(batch, assignment, fetched)
    }
  }
  return fetched
}

function readBatch(batch: RecordsBatch, assignment: Assignment, into: Fetched[]): void {
  const first = assignment.position
  if ((batch.attributes & CONTROL) === 0) {
    const appended = (batch.attributes & LOG_APPEND_TIME) === 0 ? null : Number(batch.maxTimestamp)
    for (const record of batch.records) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta)
      // A fetch answers with whole batches, from the one that has the offset asked for.
      if (offset < first) continue
      const timestampMs = appended ?? Number(batch.firstTimestamp + record.timestampDelta)
      into.push({ assignment, offset, timestampMs: timestampMs < 0 ? undefined : timestampMs, record })
    }
  }
  const next = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
  if (next > assignment.position) assignment.position = next
}

function advance(assignment: Assignment, position: bigint): void {
  assignment.position = position
  assignment.offsets.advance(position)
}
