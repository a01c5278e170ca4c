import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import type { Consumer, ConsumerOptions, MessagesStream, ProducerOptions } from '@platformatic/kafka'
import { brokers } from './kafkajs.ts'

/** As an application requires it; what is to wrap it has to be there before. */
export function loadPlatformaticKafka(): typeof import('@platformatic/kafka') {
  return createRequire(import.meta.url)('@platformatic/kafka')
}

export const client = { clientId: 'app', bootstrapBrokers: brokers(), retries: 2, retryDelay: 50 }

/** Topics of a test's own. */
export async function createTopics(t: TestContext, count = 1, partitions = 1): Promise<string[]> {
  const { Admin } = loadPlatformaticKafka()
  const topics = Array.from({ length: count }, () => `platformatic-${randomUUID()}`)
  const admin = new Admin({ ...client, retries: 20 })
  t.after(() => admin.close())
  await admin.createTopics({ topics, partitions })
  // Brokers tell of a topic a moment later than they made it.
  await admin.metadata({ topics, forceUpdate: true })
  return topics
}

type Texts = ProducerOptions<string, string, string, string>

/** A producer of texts that the test's end closes. */
export function textProducer(t: TestContext, options: Partial<Texts> = {}) {
  const { Producer, stringSerializers } = loadPlatformaticKafka()
  return closed(t, new Producer({ ...client, serializers: stringSerializers, ...options }))
}

/** Closes a client at the test's end. */
export function closed<Client extends { close(): Promise<void> }>(t: TestContext, made: Client): Client {
  t.after(() => made.close())
  return made
}

/** A consumer of texts in a group of its own that the test's end closes with its streams. */
export function textConsumer(
  t: TestContext,
  options: Partial<ConsumerOptions<string, string, string, string>> = {},
) {
  const { Consumer, stringDeserializers } = loadPlatformaticKafka()
  const deserializers = stringDeserializers as NonNullable<
    ConsumerOptions<string, string, string, string>['deserializers']
  >
  const consumer = new Consumer({ ...client, groupId: `group-${randomUUID()}`, deserializers, ...options })
  t.after(() => consumer.close(true))
  return consumer
}

/** Reads topics from their beginning. Without autocommit. */
export function consume<Key, Value, HeaderKey, HeaderValue>(
  consumer: Consumer<Key, Value, HeaderKey, HeaderValue>,
  topics: string[],
): Promise<MessagesStream<Key, Value, HeaderKey, HeaderValue>> {
  return consumer.consume({ topics, mode: 'earliest', autocommit: false, maxWaitTime: 100 })
}

/** The first messages of a topic as bytes, read by a loop. */
export async function readBytes(t: TestContext, topic: string, count: number) {
  const { Consumer } = loadPlatformaticKafka()
  const consumer = new Consumer({ ...client, groupId: `read-${randomUUID()}` })
  t.after(() => consumer.close(true))
  const messages: { key: Buffer; value: Buffer; headers: Map<string, Buffer> }[] = []
  for await (const { key, value, headers } of await consume(consumer, [topic])) {
    const named = [...headers].map(([name, value]) => [String(name), value] as const)
    messages.push({ key, value, headers: new Map(named) })
    if (messages.length === count) break
  }
  return messages
}
