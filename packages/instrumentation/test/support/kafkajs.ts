import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import { eventually } from '@throughline/testkit'
import type { ConsumerRunConfig, Kafka, KafkaConfig, Message, Producer } from 'kafkajs'

/** Addresses of the broker under test. A missing one is a failure, not a skip. */
export function brokers(): string[] {
  const given = process.env.KAFKA_BROKERS
  if (given === undefined || given === '') {
    throw new Error('KAFKA_BROKERS is not set: run `npm test`, or start brokers with `npm run brokers`')
  }
  return given.split(',')
}

/** As an application requires it; what is to wrap it has to be there before. */
export function loadKafkaJs(): typeof import('kafkajs') {
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
  return createRequire(import.meta.url)('kafkajs')
}

/** Names of a test's own, and a client that says nothing of the failures that are tested. */
export async function setUp(
  t: TestContext,
  {
    partitions = 1,
    topics = 1,
    ...config
  }: { partitions?: number; topics?: number } & Partial<KafkaConfig> = {},
) {
  const { Kafka, logLevel } = loadKafkaJs()
  const kafka = new Kafka({
    brokers: brokers(),
    clientId: 'app',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20 },
    ...config,
  })
  const names = Array.from({ length: topics }, () => `kafkajs-${randomUUID()}`)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: names.map((topic) => ({ topic, numPartitions: partitions })),
    waitForLeaders: true,
  })
  await admin.disconnect()
  const producer = await connected(t, kafka.producer())
  const [topic = ''] = names
  return { kafka, producer, topic, topics: names, group: `group-${topic}` }
}

/** A producer that the test's end disconnects. */
export async function connected(t: TestContext, producer: Producer): Promise<Producer> {
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

/** Runs a consumer that the test's end disconnects. */
export async function consume(
  t: TestContext,
  kafka: Kafka,
  { topics, group, ...run }: { topics: readonly string[]; group: string } & ConsumerRunConfig,
) {
  const consumer = kafka.consumer({ groupId: group, retry: { initialRetryTime: 20 }, maxWaitTimeInMs: 200 })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run(run)
  return consumer
}

/** What a consumer without the instrumentation's help sees: the first messages of a topic. */
export async function read(t: TestContext, kafka: Kafka, topic: string, count: number) {
  const messages: { key: Buffer | null; value: Buffer | null; headers: Message['headers'] }[] = []
  await consume(t, kafka, {
    topics: [topic],
    group: `read-${randomUUID()}`,
    eachMessage: async ({ message: { key, value, headers } }) => {
      messages.push({ key, value, headers })
    },
  })
  await eventually(
    () => {
      if (messages.length < count) throw new Error(`${messages.length} of ${count} messages`)
    },
    { timeoutMs: 30_000 },
  )
  return messages
}

export { frozen } from './frozen.ts'

/** Attributes that differ from run to run. */
export const OMIT = ['server.port', 'throughline.sent_at']
