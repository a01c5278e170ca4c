import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { Admin } from '@platformatic/kafka'
import type { Delivery, Message, PublishResult, Subscriber } from '@throughline/core'
import {
  createTopics,
  type KafkaPublisherOptions,
  type KafkaSubscriberOptions,
  kafkaTransport,
} from '@throughline/kafka'

/** Addresses of the broker under test. A missing one is a failure, not a skip. */
export function brokers(): string {
  const given = process.env.KAFKA_BROKERS
  if (given === undefined || given === '') {
    throw new Error('KAFKA_BROKERS is not set: run `npm test`, or start brokers with `npm run brokers`')
  }
  return given
}

export const ACCEPT = { outcome: 'accept' } as const

/** A new topic of its own for one test. */
export async function newTopic(partitions = 1, settings: Record<string, string> = {}): Promise<string> {
  const name = `test-${randomUUID()}`
  await createTopics({ brokers: brokers() }, [{ name, partitions, replicas: 1, settings }])
  return name
}

export function newGroup(): string {
  return `group-${randomUUID()}`
}

/** A publisher that the test's end closes. */
export function publisherOf(
  t: TestContext,
  topic: string,
  options: { brokers?: string } & Omit<KafkaPublisherOptions, 'topic'> = {},
) {
  const { brokers: address = brokers(), ...rest } = options
  const publisher = kafkaTransport({ brokers: address }).publisher({ topic, ...rest })
  t.after(() => publisher.close())
  return publisher
}

/** A subscriber that the test's end closes. */
export function subscriberOf(
  t: TestContext,
  options: KafkaSubscriberOptions,
  address = brokers(),
  connectTimeoutMs = 5000,
): Subscriber {
  const subscriber = kafkaTransport({ brokers: address, connectTimeoutMs }).subscriber({
    ...(options.groupProtocol === 'consumer' ? {} : { sessionTimeoutMs: 6000 }),
    revokeGraceMs: 500,
    ...options,
  })
  t.after(() => subscriber.close())
  return subscriber
}

export function message(body: string | Uint8Array | null, rest: Partial<Message> = {}): Message {
  return { body: typeof body === 'string' ? Buffer.from(body) : body, headers: [], ...rest }
}

export function numbered(count: number, keys = 0, from = 0): Message[] {
  return Array.from({ length: count }, (_, index) =>
    message(String(from + index), keys > 0 ? { key: `key-${index % keys}` } : {}),
  )
}

export function textOfBody({ message: { body } }: Delivery): string {
  return body === null ? '' : Buffer.from(body).toString()
}

/** Reads until `count` deliveries are there, and stops reading. Settles with `settle`, if given, as they come. */
export async function take(
  subscriber: Subscriber,
  count: number,
  settle?: (deliveries: readonly Delivery[]) => Promise<void>,
): Promise<Delivery[]> {
  const taken: Delivery[] = []
  const stop = new AbortController()
  for await (const deliveries of subscriber.deliveries(stop.signal)) {
    taken.push(...deliveries)
    await settle?.(deliveries)
    if (taken.length >= count) stop.abort()
  }
  return taken
}

/** All were confirmed, or the first error. */
export function confirmed(results: readonly PublishResult[]) {
  return results.map((result) => {
    if (!result.ok) throw result.error
    return result
  })
}

/** What the group has committed of a topic's partitions, as the broker says. */
export async function committedOffsets(topic: string, group: string): Promise<Map<number, bigint>> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [brokers()] })
  try {
    const groups = await admin.listConsumerGroupOffsets({ groups: [group] })
    const partitions = groups.flatMap((each) => each.topics).filter(({ name }) => name === topic)
    return new Map(
      partitions.flatMap((each) =>
        each.partitions.map(({ partitionIndex, committedOffset }): [number, bigint] => [
          partitionIndex,
          committedOffset,
        ]),
      ),
    )
  } finally {
    await admin.close()
  }
}
