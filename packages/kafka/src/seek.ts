import { type Consumer, offsetFetchV8 } from '@platformatic/kafka'
import { PermanentError } from '@throughline/core'
import { assignmentKey } from './assignment.ts'
import type { Coordinator } from './coordinator.ts'
import { isTopicName, type KafkaSeek, type KafkaStart } from './options.ts'
import { startOffset } from './start.ts'

/** A seek that a group has made in a partition: kept with its committed offset, so that it is made once. */
export interface Sought {
  readonly name: string
  /** Below it the group had been before: what is read again. */
  readonly until: bigint
}

/** What a group has committed of a partition. */
export interface Committed {
  readonly offset: bigint
  readonly sought: Sought | null
}

/** Throws PermanentError where it can be none. */
export function checkedSeek(seek: KafkaSeek, group: string | undefined): KafkaSeek {
  const { name, to } = seek
  if (group === undefined) throw new PermanentError('Kafka: seekTo needs a group; without one, start says it')
  if (!isTopicName(name)) {
    throw new PermanentError('Kafka: seekTo.name must be 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-"')
  }
  if (to instanceof Date && Number.isNaN(to.getTime())) {
    throw new PermanentError('Kafka: seekTo.to is an invalid Date')
  }
  return seek
}

/** Where the seek goes in a partition; null where it leaves it as it is. Throws the driver's error. */
export async function seekOffset(
  consumer: Consumer,
  topic: string,
  partition: number,
  to: KafkaSeek['to'],
): Promise<bigint | null> {
  return isStart(to) ? startOffset(consumer, topic, partition, to) : (to[topic]?.[partition] ?? null)
}

function isStart(to: KafkaSeek['to']): to is KafkaStart {
  return typeof to === 'string' || to instanceof Date
}

/** What the group has committed, by `assignmentKey`, with what stands beside it. Throws the driver's error. */
export async function fetchCommitted(
  coordinator: Coordinator,
  groupId: string,
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): Promise<ReadonlyMap<string, Committed>> {
  const asked = topics.map(({ topic, partitions }) => ({ name: topic, partitionIndexes: [...partitions] }))
  const connection = await coordinator.reach()
  const request = [{ groupId, memberEpoch: -1, topics: asked }]
  const { groups } = await offsetFetchV8.api.async(connection, request, false).catch((error) => {
    coordinator.forget()
    throw error
  })
  const found = groups.flatMap(({ topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions
        .filter(({ committedOffset }) => committedOffset >= 0n)
        .map(({ partitionIndex, committedOffset, metadata }): [string, Committed] => [
          assignmentKey(name, partitionIndex),
          { offset: committedOffset, sought: readSought(metadata) },
        ]),
    ),
  )
  return new Map(found)
}

// The text that Kafka keeps beside a committed offset is free; others write their own.
const SOUGHT = /^throughline-seek=([a-zA-Z0-9._-]{1,249});until=(\d{1,19})$/

export function readSought(metadata: string | null | undefined): Sought | null {
  const [, name, until] = SOUGHT.exec(metadata ?? '') ?? []
  return name === undefined || until === undefined ? null : { name, until: BigInt(until) }
}

export function writeSought(sought: Sought | null): string | null {
  return sought === null ? null : `throughline-seek=${sought.name};until=${sought.until}`
}
