import { type Consumer, ListOffsetTimestamps } from '@platformatic/kafka'
import type { KafkaStart } from './options.ts'

/** The offset that `start` stands for in a partition, now: the end where no record is of that time or later. Throws the driver's error. */
export async function startOffset(
  consumer: Consumer,
  topic: string,
  partition: number,
  start: KafkaStart,
): Promise<bigint> {
  const offset = await offsetAt(consumer, topic, partition, timestampOf(start))
  return offset < 0n ? offsetAt(consumer, topic, partition, ListOffsetTimestamps.LATEST) : offset
}

function timestampOf(start: KafkaStart): bigint {
  if (start instanceof Date) return BigInt(start.getTime())
  return start === 'earliest' ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST
}

async function offsetAt(
  consumer: Consumer,
  topic: string,
  partition: number,
  timestamp: bigint,
): Promise<bigint> {
  const offsets = await consumer.listOffsets({
    topics: [topic],
    partitions: { [topic]: [partition] },
    timestamp,
  })
  const offset = offsets.get(topic)?.[partition]
  if (offset === undefined) throw new Error(`no offsets of ${topic}[${partition}]`)
  return offset
}
