import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { eventually, recordSpans } from '@throughline/testkit'
import type { Consumer, Kafka, Producer } from 'kafkajs'
import { ConfluentKafkaInstrumentation, KafkaJsInstrumentation } from '../src/index.ts'
import { brokers, frozen, setUp } from './support/kafkajs.ts'

/** Its binary is downloaded when it is installed, which not every machine can; it is no dependency of the project. */
const CLIENT = '@confluentinc/kafka-javascript'
const require = createRequire(import.meta.url)
const needsClient = isInstalled() ? {} : { skip: `needs ${CLIENT}: npm install --no-save ${CLIENT}` }

function isInstalled(): boolean {
  try {
    require.resolve(CLIENT)
    return true
  } catch {
    return false
  }
}

new ConfluentKafkaInstrumentation()
// For the topic alone.
new KafkaJsInstrumentation({ enabled: false })
const recorder = recordSpans()

interface Confluent {
  readonly KafkaJS: { readonly Kafka: new (options: { kafkaJS: object }) => Confluence }
}
interface Confluence {
  producer(options?: { kafkaJS: object }): Pick<Producer, 'connect' | 'disconnect' | 'send' | 'sendBatch'>
  consumer(options: { kafkaJS: object }): Pick<Consumer, 'connect' | 'disconnect' | 'run'> & {
    subscribe(options: { topics: string[] }): Promise<void>
  }
}

test(
  'its KafkaJS namespace is traced as kafkajs is: sends, one span a call, and handlers',
  needsClient,
  async (t) => {
    const { topic }: { kafka: Kafka; topic: string } = await setUp(t)
    recorder.reset()
    const { KafkaJS } = require(CLIENT) as Confluent
    const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: brokers(), clientId: 'app' } })
    const producer = kafka.producer()
    await producer.connect()
    t.after(() => producer.disconnect())
    const record = frozen({ topic, messages: [{ key: 'a', value: 'one', headers: { tenant: 'a' } }] })
    await producer.send(record)
    await producer.sendBatch({ topicMessages: [record] })
    const consumer = kafka.consumer({ kafkaJS: { groupId: `group-${randomUUID()}`, fromBeginning: true } })
    await consumer.connect()
    t.after(() => consumer.disconnect())
    await consumer.subscribe({ topics: [topic] })
    const seen: unknown[] = []
    await consumer.run({
      eachMessage: async ({ message }) => void seen.push(String(message.headers?.tenant)),
    })
    await eventually(() => assert.equal(recorder.named(`process ${topic}`).length, 2), { timeoutMs: 30_000 })
    assert.deepEqual(seen, ['a', 'a'])
    assert.deepEqual(
      recorder.tree().map(({ name, kind, children = [] }) => [name, kind, children.map((each) => each.name)]),
      [
        [`send ${topic}`, 'PRODUCER', [`process ${topic}`]],
        [`send ${topic}`, 'PRODUCER', [`process ${topic}`]],
      ],
    )
    recorder.assertNoLeaks()
  },
)
