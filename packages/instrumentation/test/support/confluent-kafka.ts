import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import type { ConsumerRunConfig, Consumer as KafkaJsConsumer, Message, Producer, Transaction } from 'kafkajs'
import { brokers } from './kafkajs.ts'

/** No dependency of the project: its binary is downloaded when it is installed. Set-up builds one where it can. */
export const CLIENT = '@confluentinc/kafka-javascript'
const require = createRequire(import.meta.url)

export const isInstalled = found()

/** For a test's options: the run's summary says what was left out for want of it. */
export const needsClient = isInstalled ? {} : { skip: `needs ${CLIENT}: g++ and make for set-up to build it` }

function found(): boolean {
  try {
    require.resolve(CLIENT)
    return true
  } catch {
    return false
  }
}

/** As far as it mirrors kafkajs, whose types its own repeat. */
export interface ConfluentModule {
  readonly KafkaJS: { readonly Kafka: new (options: Options) => Kafka }
}
/** Names of kafkajs in `kafkaJS`, of librdkafka beside it. */
export interface Options {
  readonly kafkaJS?: Readonly<Record<string, unknown>>
  readonly [name: string]: unknown
}
export type ConfluentProducer = Pick<Producer, 'connect' | 'disconnect' | 'send' | 'sendBatch'> & {
  transaction(): Promise<ConfluentTransaction>
}
export type ConfluentTransaction = Pick<
  Transaction,
  'send' | 'sendBatch' | 'commit' | 'abort' | 'isActive'
> & {
  sendOffsets(offsets: {
    consumer: ConfluentConsumer
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }): Promise<void>
}
export type ConfluentConsumer = Pick<
  KafkaJsConsumer,
  'connect' | 'disconnect' | 'run' | 'commitOffsets' | 'pause' | 'resume'
> & {
  subscribe(options: { topics: readonly string[] }): Promise<void>
  seek(position: { topic: string; partition: number; offset: string }): void
  committed(places: undefined, timeoutMs: number): Promise<{ offset: string | null }[]>
}
export interface Kafka {
  producer(options?: Options): ConfluentProducer
  consumer(options: Options): ConfluentConsumer
  admin(): Pick<ReturnType<import('kafkajs').Kafka['admin']>, 'connect' | 'disconnect'> & {
    createTopics(options: { topics: { topic: string; numPartitions: number }[] }): Promise<boolean>
    fetchTopicMetadata(options: { topics: string[] }): Promise<unknown>
  }
}

/** As an application requires it; what is to wrap it has to be there before. */
export const loadConfluentKafka = (): ConfluentModule => require(CLIENT)

const quiet = { logLevel: 0 }

/** Names of a test's own, and a producer that says nothing of the failures that are tested. */
export async function setUp(
  t: TestContext,
  { partitions = 1, topics = 1, ...options }: { partitions?: number; topics?: number } & Options = {},
) {
  const { KafkaJS } = loadConfluentKafka()
  const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: brokers(), clientId: 'app', ...quiet }, ...options })
  const names = Array.from({ length: topics }, () => `confluent-${randomUUID()}`)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: names.map((topic) => ({ topic, numPartitions: partitions })) })
  await admin.disconnect()
  const producer = await connected(t, kafka.producer({ 'linger.ms': 0 }))
  const [topic = ''] = names
  return { kafka, producer, topic, topics: names, group: `group-${topic}` }
}

/** A producer that the test's end disconnects. */
export async function connected(t: TestContext, producer: ConfluentProducer): Promise<ConfluentProducer> {
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

interface Consume extends Pick<ConsumerRunConfig, 'eachMessage' | 'eachBatch' | 'eachBatchAutoResolve'> {
  readonly topics: readonly string[]
  readonly group: string
  readonly partitionsConsumedConcurrently?: number
  /** The consumer's own options. */
  readonly options?: Options
}

/** Runs a consumer, from the beginning, that the test's end disconnects. */
export async function consume(
  t: TestContext,
  kafka: Kafka,
  { topics, group, options = {}, ...run }: Consume,
): Promise<ConfluentConsumer> {
  const { kafkaJS, ...librdkafka } = options
  const consumer = kafka.consumer({
    kafkaJS: { groupId: group, fromBeginning: true, ...kafkaJS },
    ...librdkafka,
  })
  await consumer.connect()
  t.after(() => consumer.disconnect())
  await consumer.subscribe({ topics })
  await consumer.run(run)
  return consumer
}

/** What an application that sends with librdkafka's clients gets to see of a message. */
export type Headers = NonNullable<Message['headers']>
