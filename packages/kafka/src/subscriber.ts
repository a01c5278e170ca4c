import {
  type Delivery,
  PermanentError,
  type Position,
  type Settlement,
  type Subscriber,
} from '@throughline/core'
import type { Assignment } from './assignment.ts'
import type { Fetched } from './fetcher.ts'
import type { Identity } from './membership.ts'
import { type Connection, isTopicName, type KafkaSubscriberOptions, positive } from './options.ts'
import { decodeRecord } from './record.ts'
import { checkedSeek } from './seek.ts'
import { openSession, type Session, type SessionOptions } from './session.ts'

const ASSIGNMENT = Symbol('assignment')

/** A delivery that knows the partition it is settled in. */
interface KafkaDelivery extends Delivery {
  readonly position: Position & { readonly offset: bigint }
  readonly [ASSIGNMENT]: Assignment
}

/**
 * Reads topics as a member of a consumer group, or all of their partitions without one. Committed is only what is settled
 * without a gap, at most `commitIntervalMs` later. Throws PermanentError when an option is wrong.
 */
export function kafkaSubscriber(connection: Connection, given: KafkaSubscriberOptions): Subscriber {
  const options = sessionOptions(given)
  const stop = new AbortController()
  const identity: Identity = { memberId: null, offsets: new Map() }
  let session: Session | null = null
  let opening: Promise<Session> | null = null

  /** Whoever comes while it connects joins that attempt. */
  async function connect(): Promise<Session> {
    if (stop.signal.aborted) throw new PermanentError('the Kafka subscriber is closed')
    if (session !== null && !session.ended) return session
    opening ??= openSession(connection, options, identity, stop.signal).finally(() => {
      opening = null
    })
    session = await opening
    return session
  }

  async function* deliveries(signal?: AbortSignal): AsyncGenerator<readonly Delivery[]> {
    if (stop.signal.aborted) return
    const current = await connect()
    for await (const fetched of current.read(signal)) yield fetched.map(deliveryOf)
  }

  async function settle(settled: readonly Delivery[], { outcome }: Settlement): Promise<void> {
    // Given back: the offset stays where it is, and nothing later of its partition is committed past it.
    if (outcome === 'release') return
    let any = false
    for (const delivery of settled) {
      if (!isOurs(delivery)) continue
      const { signal, offsets } = delivery[ASSIGNMENT]
      if (!signal.aborted && offsets.settle(delivery.position.offset)) any = true
    }
    if (any) session?.settled()
  }

  async function close(): Promise<void> {
    stop.abort()
    await opening?.catch(() => undefined)
    await session?.close()
  }

  return {
    attributes: options.group === undefined ? {} : { 'messaging.consumer.group.name': options.group },
    async open() {
      await connect()
    },
    deliveries,
    settle,
    close,
  }
}

function deliveryOf({ assignment, offset, timestampMs, record }: Fetched): KafkaDelivery {
  const { topic, partition, signal } = assignment
  return {
    message: decodeRecord(record, timestampMs),
    position: {
      destination: topic,
      partition,
      offset,
      ...(timestampMs === undefined ? {} : { timestampMs }),
    },
    attempt: 1,
    signal,
    // Latin-1 keeps bytes apart that are no UTF-8.
    ...(record.key === null ? {} : { orderKey: `${topic}/${partition}/${record.key.toString('latin1')}` }),
    ...(assignment.sought !== null && offset < assignment.sought.until ? { replayed: true } : {}),
    [ASSIGNMENT]: assignment,
  }
}

function isOurs(delivery: Delivery): delivery is KafkaDelivery {
  return ASSIGNMENT in delivery
}

/** The options with their defaults. Throws PermanentError for one that is wrong. */
export function sessionOptions(given: KafkaSubscriberOptions): SessionOptions {
  const { topics, group, start = 'earliest', window = 1000, maxFetchBytes = 8_388_608 } = given
  const {
    sessionTimeoutMs = 10_000,
    revokeGraceMs = 3000,
    commitIntervalMs = 200,
    lostAfterMs = 5000,
  } = given
  if (topics.length === 0) throw new PermanentError('Kafka: topics is empty')
  const illegal = topics.find((topic) => !isTopicName(topic))
  if (illegal !== undefined) {
    throw new PermanentError(`Kafka: ${JSON.stringify(illegal.slice(0, 64))} is no topic name`)
  }
  if (group !== undefined && !/^\S+$/.test(group))
    throw new PermanentError('Kafka: group is empty or has white space')
  if (start instanceof Date && Number.isNaN(start.getTime())) {
    throw new PermanentError('Kafka: start is an invalid Date')
  }
  const { groupProtocol = 'classic', instanceId } = given
  if (groupProtocol !== 'classic' && groupProtocol !== 'consumer') {
    throw new PermanentError('Kafka: groupProtocol must be classic or consumer')
  }
  if (instanceId !== undefined && !isTopicName(instanceId)) {
    throw new PermanentError('Kafka: instanceId must be 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-"')
  }
  if (groupProtocol === 'consumer' && given.sessionTimeoutMs !== undefined) {
    throw new PermanentError(
      'Kafka: sessionTimeoutMs is not for groupProtocol consumer: the broker says it (group.consumer.session.timeout.ms)',
    )
  }
  positive('sessionTimeoutMs', sessionTimeoutMs, 1000)
  positive('revokeGraceMs', revokeGraceMs, 0)
  if (groupProtocol === 'classic' && revokeGraceMs >= sessionTimeoutMs / 2) {
    throw new PermanentError(
      'Kafka: revokeGraceMs must be under half of sessionTimeoutMs: no heartbeat is sent meanwhile',
    )
  }
  return {
    topics: [...new Set(topics)],
    group,
    groupProtocol,
    instanceId,
    seekTo: given.seekTo && checkedSeek(given.seekTo, group),
    start,
    window: positive('window', window),
    sessionTimeoutMs,
    revokeGraceMs,
    commitIntervalMs: positive('commitIntervalMs', commitIntervalMs, 0),
    lostAfterMs: positive('lostAfterMs', lostAfterMs),
    maxFetchBytes: positive('maxFetchBytes', maxFetchBytes),
  }
}
