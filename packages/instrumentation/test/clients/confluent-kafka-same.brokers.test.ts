import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { eventually } from '@throughline/testkit'
import type { EachBatchPayload, EachMessagePayload } from 'kafkajs'
import { ConfluentKafkaInstrumentation } from '../../src/index.ts'
import { connected, consume, needsClient, setUp } from '../support/confluent-kafka.ts'
import { outcome, sameWithout } from '../support/same.ts'

const instrumentation = new ConfluentKafkaInstrumentation()

type Setup = Awaited<ReturnType<typeof setUp>>

const same = (t: TestContext, run: (setup: Setup) => Promise<unknown>) =>
  sameWithout(instrumentation, async () => {
    const setup = await setUp(t)
    return { seen: await run(setup), topic: setup.topic }
  })

test('what the client refuses is refused in the same words', needsClient, (t) =>
  same(t, async ({ kafka, producer, topic }) => {
    const unconnected = kafka.producer()
    const seen: unknown[] = []
    for (const record of [
      null,
      'none',
      {},
      { topic },
      { topic, messages: null },
      { topic, messages: [] },
      { topic, messages: [null] },
      { topic, messages: [{}] },
      { topic, messages: [{ value: 7 }] },
      { topic, messages: [{ value: 'one', partition: 9 }] },
      { topic, messages: [{ value: 'one', key: 7 }] },
      { topic, messages: [{ value: 'one' }], acks: 1 },
      { topic: undefined, messages: [{ value: 'one' }] },
      { topic, messages: [{ value: 'one' }] },
    ]) {
      for (const each of [producer, unconnected]) {
        seen.push(await outcome(() => Reflect.apply(each.send, each, [structuredClone(record)])))
        const batch = { topicMessages: [structuredClone(record)] }
        seen.push(await outcome(() => Reflect.apply(each.sendBatch, each, [batch])))
      }
    }
    return seen
  }),
)

test('a consumer that pauses, seeks and fails does as it would', needsClient, (t) =>
  same(t, async ({ kafka, producer, topic }) => {
    await producer.send({ topic, messages: ['0', '1', '2', '3'].map((value) => ({ value })) })
    const seen: unknown[] = []
    const failures = new Set(['1', '2'])
    const consumer = await consume(t, kafka, {
      topics: [topic],
      group: randomUUID(),
      eachMessage: async (payload: EachMessagePayload) => {
        const { message, heartbeat, pause } = payload
        await heartbeat()
        const value = String(message.value)
        seen.push([value, Object.keys(payload).sort(), Object.keys(message).sort()])
        if (failures.delete(value)) {
          if (value === '2') setImmediate(pause())
          throw new Error(`failed at ${value}`)
        }
        if (value === '3' && seen.length < 7) consumer.seek({ topic, partition: 0, offset: '2' })
      },
    })
    await eventually(() => assert.ok(seen.length >= 8), { timeoutMs: 30_000 })
    await consumer.disconnect()
    return seen
  }),
)

test('a batch is resolved and left in part as it would be', needsClient, (t) =>
  same(t, async ({ kafka, producer, topic }) => {
    await producer.send({ topic, messages: ['0', '1', '2'].map((value) => ({ value })) })
    const seen: unknown[] = []
    const consumer = await consume(t, kafka, {
      topics: [topic],
      group: randomUUID(),
      options: { 'js.consumer.max.batch.size': -1, kafkaJS: { autoCommit: false } },
      eachBatchAutoResolve: false,
      eachBatch: async (payload: EachBatchPayload) => {
        const { batch, resolveOffset, commitOffsetsIfNecessary, uncommittedOffsets, isRunning, isStale } =
          payload
        seen.push([Object.keys(payload).sort(), Object.keys(batch).sort(), isRunning(), isStale()])
        seen.push([batch.firstOffset(), batch.lastOffset(), batch.isEmpty()])
        resolveOffset(batch.firstOffset() ?? '')
        await commitOffsetsIfNecessary()
        seen.push(await outcome(async () => uncommittedOffsets()))
        if (seen.length === 3) throw new Error('the second')
      },
    })
    await eventually(() => assert.ok(seen.length >= 9), { timeoutMs: 30_000 })
    const committed = await consumer.committed(undefined, 5_000)
    await consumer.disconnect()
    return [seen.slice(0, 9), committed.map(({ offset }) => offset)]
  }),
)

test('transactions are committed and aborted as they would be', needsClient, (t) =>
  same(t, async ({ kafka, topic }) => {
    const producer = await connected(t, kafka.producer({ kafkaJS: { transactionalId: randomUUID() } }))
    const seen: unknown[] = []
    seen.push(await outcome(() => producer.send({ topic, messages: [{ value: 'outside' }] })))
    for (const end of ['abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      seen.push(transaction === (producer as unknown), transaction.isActive())
      seen.push(await transaction.send({ topic, messages: [{ value: end }] }))
      seen.push(await outcome(() => producer.transaction()))
      await transaction[end]()
      seen.push(transaction.isActive(), await outcome(() => transaction[end]()))
    }
    return seen
  }),
)
