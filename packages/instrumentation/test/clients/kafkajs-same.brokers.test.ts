import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { eventually } from '@throughline/testkit'
import type { Consumer, EachBatchPayload, EachMessagePayload } from 'kafkajs'
import { kafkajs } from '../support/carriers/kafkajs.ts'
import { connected, frozen, loadKafkaJs, setUp } from '../support/kafkajs.ts'
import { outcome, ownHeaders, sameWithout } from '../support/same.ts'

type Setup = Awaited<ReturnType<typeof setUp>>

const same = (t: TestContext, run: (setup: Setup) => Promise<unknown>) =>
  sameWithout(kafkajs.instrumentation, async () => {
    const setup = await setUp(t)
    return { seen: await run(setup), topic: setup.topic }
  })

/** The first messages of a topic, by a consumer that is stopped afterwards. */
async function readAll({ kafka, topic }: Setup, count: number) {
  const consumer = kafka.consumer({ groupId: `read-${randomUUID()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const messages: unknown[] = []
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers, offset } }) => {
      messages.push([offset, key && [...key], value && [...value], ownHeaders(Object.entries(headers ?? {}))])
    },
  })
  await eventually(() => assert.equal(messages.length, count), { timeoutMs: 30_000 })
  await consumer.disconnect()
  return messages
}

test('headers of every kind, tombstones and compressed messages arrive as they would', (t) =>
  same(t, async (setup) => {
    const { producer, topic } = setup
    const { CompressionTypes } = loadKafkaJs()
    const bytes = Buffer.from([0, 255, 128])
    const headers = { text: 'ä', empty: '', bytes, list: ['a', bytes, 'b'], '': 'no name', __proto__x: 'x' }
    const messages = frozen([
      { key: bytes, value: bytes, headers },
      { key: null, value: null, headers: {} },
      { value: 'x'.repeat(5_000) },
    ])
    const sent = await producer.send({
      topic,
      messages,
      compression: CompressionTypes.GZIP,
      acks: -1,
      timeout: 5_000,
    })
    return [sent, await readAll(setup, 3)]
  }))

test('messages of own classes arrive as they would, with their getters asked no more than they would be', (t) =>
  same(t, async (setup) => {
    const { producer, topic } = setup
    let asked = 0
    class Order {
      readonly #id = 'order-1'
      readonly key = 'k'
      get value() {
        return `{"id":"${this.#id}"}`
      }
    }
    class Written {
      readonly value = 'written'
      get customer(): string {
        asked++
        throw new Error('not loaded')
      }
    }
    await producer.send({ topic, messages: [new Order(), new Written()] })
    return [asked, await readAll(setup, 2)]
  }))

test('what the client refuses is refused in the same words', (t) =>
  same(t, async ({ producer, topic, kafka }) => {
    const send = (record: unknown) => outcome(() => Reflect.apply(producer.send, producer, [record]))
    const sendBatch = (batch: unknown) => outcome(() => Reflect.apply(producer.sendBatch, producer, [batch]))
    const closed = kafka.producer()
    return [
      await send({ topic, messages: [{ value: undefined }] }),
      await send({ topic, messages: [null] }),
      await send({ topic, messages: [{ value: 7 }] }),
      await send({
        topic,
        messages: [{ value: 7, headers: { 'content-type': 'application/cloudevents+json' } }],
      }),
      await send({ topic, messages: [{ value: 'one', key: 7 }] }),
      await send({ topic, messages: [{ value: 'one', headers: { number: 7 } }] }),
      await send({ topic, messages: [{ value: 'one', headers: { nothing: null } }] }),
      await send({ topic, messages: [{ value: 'one', headers: { nothing: undefined } }] }),
      await send({ topic, messages: [] }),
      await send({ topic }),
      await send({ topic: undefined, messages: [{ value: 'one' }] }),
      await send({ topic: '', messages: [{ value: 'one' }] }),
      await send({ topic, messages: [{ value: 'one', partition: 9 }] }),
      await send({ topic, messages: [{ value: 'one' }], acks: 0 }),
      await sendBatch({ topicMessages: [] }),
      await sendBatch({ topicMessages: [{ topic, messages: [{ value: 'one' }] }, { topic }] }),
      await sendBatch({}),
      await outcome(() => closed.send({ topic, messages: [{ value: 'one' }] })),
    ]
  }))

/** The consumer's own events, in order, as far as they are always the same. */
function eventsOf(consumer: Consumer): string[] {
  const seen: string[] = []
  const { CONNECT, GROUP_JOIN, CRASH, STOP, DISCONNECT } = consumer.events
  for (const event of [CONNECT, GROUP_JOIN, CRASH, STOP, DISCONNECT])
    consumer.on(event, ({ type }) => void seen.push(type))
  return seen
}

test('a consumer that pauses, seeks, fails, is run twice, stopped and run again does as it would', (t) =>
  same(t, async ({ kafka, producer, topic }) => {
    await producer.send({ topic, messages: ['0', '1', '2', '3'].map((value) => ({ value })) })
    const consumer = kafka.consumer({
      groupId: randomUUID(),
      retry: { initialRetryTime: 20 },
      maxWaitTimeInMs: 100,
    })
    const events = eventsOf(consumer)
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const seen: unknown[] = []
    const failures = new Set(['1'])
    const handler = async function (this: unknown, payload: EachMessagePayload) {
      const { message, heartbeat, pause, partition } = payload
      await heartbeat()
      const value = String(message.value)
      seen.push([value, partition, Object.keys(payload).sort(), typeof this])
      if (failures.delete(value)) throw new Error(`failed at ${value}`)
      if (value === '2' && seen.length < 5) {
        const resume = pause()
        setImmediate(resume)
        throw new Error('paused')
      }
      if (value === '3' && seen.length < 7) consumer.seek({ topic, partition: 0, offset: '2' })
      return 'what nobody reads' as never
    }
    await consumer.run({ eachMessage: handler })
    await consumer.run({ eachMessage: async () => assert.fail('it runs already') })
    await eventually(() => assert.ok(seen.length >= 8, JSON.stringify(seen)), { timeoutMs: 30_000 })
    await consumer.stop()
    await producer.send({ topic, messages: [{ value: '4' }] })
    await consumer.run({ autoCommit: false, eachMessage: handler })
    await eventually(() => assert.deepEqual((seen.at(-1) as unknown[])[0], '4'), { timeoutMs: 30_000 })
    await consumer.disconnect()
    return [seen, events]
  }))

test('a batch is resolved, committed and left in part as it would be', (t) =>
  same(t, async ({ kafka, producer, topic }) => {
    await producer.send({ topic, messages: ['0', '1', '2', '3'].map((value) => ({ value })) })
    const groupId = randomUUID()
    const consumer = kafka.consumer({ groupId, retry: { initialRetryTime: 20 }, maxWaitTimeInMs: 100 })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const seen: unknown[] = []
    await consumer.run({
      eachBatchAutoResolve: false,
      eachBatch: async (payload: EachBatchPayload) => {
        const {
          batch,
          resolveOffset,
          heartbeat,
          commitOffsetsIfNecessary,
          uncommittedOffsets,
          isRunning,
          isStale,
        } = payload
        seen.push([
          Object.keys(payload).sort(),
          batch.messages.map(({ offset }) => offset),
          [batch.firstOffset(), batch.lastOffset(), batch.offsetLag(), batch.isEmpty(), batch.highWatermark],
          [isRunning(), isStale()],
        ])
        const [first] = batch.messages
        resolveOffset(first?.offset ?? '')
        await heartbeat()
        seen.push(uncommittedOffsets())
        await commitOffsetsIfNecessary()
        if (seen.length === 2) throw new Error('the second')
      },
    })
    await eventually(() => assert.ok(seen.length >= 8), { timeoutMs: 30_000 })
    await consumer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    const committed = await admin.fetchOffsets({ groupId, topics: [topic] })
    await admin.disconnect()
    return [seen.slice(0, 8), committed]
  }))

test('transactions are committed and aborted as they would be', (t) =>
  same(t, async (setup) => {
    const { kafka, topic } = setup
    const options = { transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 }
    const producer = await connected(t, kafka.producer(options))
    const seen: unknown[] = []
    for (const end of ['abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      seen.push(await transaction.send({ topic, messages: [{ value: end }] }), transaction.isActive())
      seen.push(await outcome(() => producer.transaction()))
      await transaction[end]()
      seen.push(transaction.isActive(), await outcome(() => transaction[end]()))
      seen.push(await outcome(() => transaction.send({ topic, messages: [{ value: 'late' }] })))
    }
    return [seen, await readAll(setup, 1)]
  }))
