import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { markTraced } from '@throughline/core'
import { eventually, recordMetrics, recordSpans } from '@throughline/testkit'
import {
  ConfluentKafkaInstrumentation,
  KafkaJsInstrumentation,
  PlatformaticKafkaInstrumentation,
} from '../../src/index.ts'
import * as confluent from '../support/confluent-kafka.ts'
import * as kafkajs from '../support/kafkajs.ts'
import * as platformatic from '../support/platformatic-kafka.ts'

new KafkaJsInstrumentation()
new PlatformaticKafkaInstrumentation()
new ConfluentKafkaInstrumentation()
const recorder = recordSpans()

/** Two messages that each client sends in one call and handles: the first with a time of the application's own. */
const clients: Readonly<Record<string, (t: TestContext, ownMs: number) => Promise<string>>> = {
  async kafkajs(t, ownMs) {
    const { kafka, producer, topic, group } = await kafkajs.setUp(t)
    await producer.send({ topic, messages: [{ value: 'own', timestamp: String(ownMs) }, { value: 'none' }] })
    await kafkajs.consume(t, kafka, { topics: [topic], group, eachMessage: async () => {} })
    return topic
  },
  async '@platformatic/kafka'(t, ownMs) {
    const [topic = ''] = await platformatic.createTopics(t)
    await platformatic.textProducer(t).send({
      messages: [
        { topic, key: 'a', value: 'own', timestamp: BigInt(ownMs) },
        { topic, key: 'a', value: 'none' },
      ],
    })
    const stream = await platformatic.consume(platformatic.textConsumer(t), [topic])
    stream.on('data', () => {})
    return topic
  },
  async [confluent.CLIENT](t, ownMs) {
    const { kafka, producer, topic, group } = await confluent.setUp(t)
    await producer.send({ topic, messages: [{ value: 'own', timestamp: String(ownMs) }, { value: 'none' }] })
    await confluent.consume(t, kafka, { topics: [topic], group, eachMessage: async () => {} })
    return topic
  },
}

for (const [name, sendAndHandle] of Object.entries(clients)) {
  const options = name === confluent.CLIENT ? confluent.needsClient : {}
  test(`${name}: a time of the application's own is not taken for that of the send`, options, async (t) => {
    const metrics = recordMetrics()
    t.after(() => metrics.stop())
    const startedMs = Date.now()
    const topic = await sendAndHandle(t, startedMs - 7_200_000)
    const processed = await eventually(
      () => {
        const spans = recorder.named(`process ${topic}`)
        assert.equal(spans.length, 2)
        return spans
      },
      { timeoutMs: 30_000 },
    )
    assert.deepEqual(
      processed.map(({ attributes }) => attributes['throughline.sent_at_source']),
      ['header', 'broker'],
    )
    for (const { kind, attributes } of processed) {
      assert.equal(kind, SpanKind.CONSUMER)
      const sentAtMs = Number(attributes['throughline.sent_at']) / 1000
      assert.ok(sentAtMs >= startedMs && sentAtMs <= Date.now(), `sent at ${sentAtMs}`)
    }
    const queued = (await metrics.series('throughline.queue.duration')).find(
      ({ attributes }) => attributes['messaging.destination.name'] === topic,
    )
    assert.equal(queued?.count, 2)
    assert.ok(Number(queued?.sum) < 600, `waited ${queued?.sum} s`)
  })
}

test('a record that has no time has waited for none that is known', async (t) => {
  const metrics = recordMetrics()
  t.after(() => metrics.stop())
  const [topic = ''] = await platformatic.createTopics(t)
  const untraced = markTraced(platformatic.textProducer(t))
  await untraced.send({ messages: [{ topic, value: 'one', timestamp: -1n }] })
  const stream = await platformatic.consume(platformatic.textConsumer(t), [topic])
  stream.on('data', () => {})
  const { kafka, group } = await kafkajs.setUp(t)
  await kafkajs.consume(t, kafka, { topics: [topic], group, eachMessage: async () => {} })
  const processed = await eventually(
    () => {
      const spans = recorder.named(`process ${topic}`)
      assert.equal(spans.length, 2)
      return spans
    },
    { timeoutMs: 30_000 },
  )
  for (const { attributes } of processed) assert.equal(attributes['throughline.sent_at'], undefined)
  assert.deepEqual(await metrics.series('throughline.queue.duration'), [])
})
