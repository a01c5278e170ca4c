import assert from 'node:assert/strict'
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
import { eventually, type TcpProxy } from '@throughline/testkit'
import { kafkaProxy } from './relay.ts'

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

/** A proxy before the broker under test that the test's end closes. */
export async function proxyOf(t: TestContext): Promise<TcpProxy> {
  const proxy = await kafkaProxy(brokers())
  t.after(() => proxy.close())
  return proxy
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

/** Reads until `count` deliveries are there, and accepts each. */
export function takeAndAccept(subscriber: Subscriber, count: number): Promise<Delivery[]> {
  return take(subscriber, count, (deliveries) => subscriber.settle(deliveries, ACCEPT))
}

/** The first `count` messages of a topic, read by a group of its own. */
export function readTopic(t: TestContext, topic: string, count: number): Promise<Delivery[]> {
  return take(subscriberOf(t, { topics: [topic], group: newGroup() }), count)
}

/** The same messages to both partitions of a topic that has two. */
export async function publishToBoth(
  t: TestContext,
  topic: string,
  messages: readonly Message[],
): Promise<void> {
  for (const partition of [0, 1]) confirmed(await publisherOf(t, topic, { partition }).publish(messages))
}

/** A member of a group that reads on its own until it is closed. */
export interface Member {
  readonly subscriber: Subscriber
  readonly got: readonly Delivery[]
}

/** `settles`: whether it accepts what it has read, as it goes. */
export function memberOf(
  t: TestContext,
  options: KafkaSubscriberOptions,
  settles: boolean,
  onDelivery: (delivery: Delivery) => void = () => undefined,
): Member {
  const subscriber = subscriberOf(t, { commitIntervalMs: 10, ...options })
  const got: Delivery[] = []
  async function read(): Promise<void> {
    for await (const deliveries of subscriber.deliveries()) {
      got.push(...deliveries)
      deliveries.forEach(onDelivery)
      if (settles) await subscriber.settle(deliveries, ACCEPT)
    }
  }
  // Where reading fails, nobody handles it: that fails the test.
  void read()
  return { subscriber, got }
}

/** All were confirmed, or the first error. */
export function confirmed(results: readonly PublishResult[]) {
  return results.map((result) => {
    if (!result.ok) throw result.error
    return result
  })
}

/** Asks the broker under test, or tells it something, over a connection for that alone. */
export async function withAdmin<Answer>(work: (admin: Admin) => Promise<Answer>): Promise<Answer> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [brokers()] })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

/** What the group has committed of a topic's partitions, as the broker says. */
export async function committedOffsets(topic: string, group: string): Promise<Map<number, bigint>> {
  const groups = await withAdmin((admin) => admin.listConsumerGroupOffsets({ groups: [group] }))
  const found = groups.flatMap((each) => each.topics).filter(({ name }) => name === topic)
  return new Map(
    found
      .flatMap(({ partitions }) => partitions)
      .map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
  )
}

/** Waits until the group has committed exactly this offset of a partition. */
export async function untilCommitted(
  topic: string,
  group: string,
  offset: bigint,
  partition = 0,
): Promise<void> {
  await eventually(async () => assert.equal((await committedOffsets(topic, group)).get(partition), offset))
}
