import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Producer } from '@platformatic/kafka'
import { type Delivery, UnavailableError } from '@throughline/core'
import { createTopics, kafkaTransport } from '@throughline/kafka'
import { eventually } from '@throughline/testkit'
import {
  ACCEPT,
  brokers,
  committedOffsets,
  confirmed,
  message,
  newGroup,
  newTopic,
  numbered,
  publisherOf,
  readTopic,
  subscriberOf,
  take,
  textOfBody,
  untilCommitted,
  withAdmin,
} from './support.ts'

const MEMBER = fileURLToPath(new URL('./member.ts', import.meta.url))

function startMember(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--conditions=@throughline/source', MEMBER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KAFKA_BROKERS: brokers() },
  })
  return { child, lines: createInterface({ input: child.stdout }) }
}

test('a delivery says where it stands', async (t) => {
  const topic = await newTopic()
  const [sent] = confirmed(await publisherOf(t, topic).publish([message('1', { key: 'k' })]))
  const subscriber = subscriberOf(t, { topics: [topic], group: newGroup() })
  const [delivery] = await take(subscriber, 1)
  assert.equal(delivery?.position.destination, topic)
  assert.equal(delivery.position.partition, sent?.partition)
  assert.equal(delivery.position.offset, sent?.offset)
  assert.ok(Math.abs((delivery.position.timestampMs ?? 0) - Date.now()) < 60_000)
  assert.equal(delivery.attempt, 1)
  assert.equal(delivery.redelivered, undefined)
  assert.equal(delivery.orderKey, `${topic}/0/k`)
  assert.equal(delivery.signal?.aborted, false)
})

test('a record that has no time is read without one', async (t) => {
  const topic = await newTopic()
  const producer = new Producer({ clientId: 'old', bootstrapBrokers: brokers().split(',') })
  t.after(() => producer.close())
  await producer.send({ messages: [{ topic, value: Buffer.from('1'), timestamp: -1n }] })
  const [delivery] = await readTopic(t, topic, 1)
  assert.deepEqual(Object.keys(delivery?.position ?? {}).sort(), ['destination', 'offset', 'partition'])
  assert.equal(delivery?.message.properties, undefined)
})

test('records without a key have no order to keep', async (t) => {
  const topic = await newTopic()
  await publisherOf(t, topic).publish([message('1')])
  const [delivery] = await readTopic(t, topic, 1)
  assert.equal(delivery?.orderKey, undefined)
})

test('what is settled is committed on close, what is not comes again', async (t) => {
  const topic = await newTopic()
  const group = newGroup()
  await publisherOf(t, topic).publish(numbered(10))
  const first = subscriberOf(t, { topics: [topic], group, commitIntervalMs: 60_000 })
  const got = await take(first, 10)
  await first.settle(got.slice(0, 4), ACCEPT)
  await first.close()
  assert.deepEqual(await committedOffsets(topic, group), new Map([[0, 4n]]))
  const again = await take(subscriberOf(t, { topics: [topic], group }), 6)
  assert.deepEqual(again.map(textOfBody), ['4', '5', '6', '7', '8', '9'])
})

test('settled out of order and twice, never past one that is not', async (t) => {
  const topic = await newTopic()
  const group = newGroup()
  await publisherOf(t, topic).publish(numbered(6))
  const subscriber = subscriberOf(t, { topics: [topic], group, commitIntervalMs: 10 })
  const got = await take(subscriber, 6)
  const settle = (...indexes: number[]) =>
    subscriber.settle(
      indexes.flatMap((index) => got[index] ?? []),
      ACCEPT,
    )
  await settle(5, 0, 3)
  await settle(5, 3)
  await untilCommitted(topic, group, 1n)
  await settle(1)
  await subscriber.settle(got.slice(2, 3), { outcome: 'release', delayMs: 0 })
  await untilCommitted(topic, group, 2n)
  await subscriber.settle(got.slice(2, 3), { outcome: 'reject', reason: new Error('no'), deadLettered: true })
  await untilCommitted(topic, group, 4n)
  await settle(4)
  await untilCommitted(topic, group, 6n)
})

test('nothing is accepted before it is settled: what a killed process held comes again', async (t) => {
  const topic = await newTopic()
  const group = newGroup()
  await publisherOf(t, topic).publish(numbered(20))
  const { child, lines } = startMember(topic, group, '7', '20')
  for await (const line of lines) if (line === 'waiting') break
  await untilCommitted(topic, group, 7n)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const again = await take(subscriberOf(t, { topics: [topic], group }), 13)
  assert.deepEqual(
    again.map(textOfBody),
    Array.from({ length: 13 }, (_, index) => String(index + 7)),
  )
})

test('after close a process ends by itself', async (t) => {
  const topic = await newTopic()
  await publisherOf(t, topic).publish(numbered(3))
  const { child } = startMember(topic, newGroup(), '3', '3', 'close')
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
})

test('a full window stops reading until something is settled', async (t) => {
  const topic = await newTopic()
  const publisher = publisherOf(t, topic)
  await publisher.publish(numbered(10))
  const subscriber = subscriberOf(t, { topics: [topic], group: newGroup(), window: 4 })
  const reading = subscriber.deliveries()[Symbol.asyncIterator]()
  const first: readonly Delivery[] = (await reading.next()).value ?? []
  assert.deepEqual(first.map(textOfBody), ['0', '1', '2', '3'])
  const steps: string[] = []
  const next = reading.next().then(({ value }) => {
    steps.push('handed out')
    return value ?? []
  })
  await publisher.publish(numbered(10, 0, 10))
  steps.push('settled')
  await subscriber.settle(first.slice(2), ACCEPT)
  assert.deepEqual((await next).map(textOfBody), ['4', '5'])
  assert.deepEqual(steps, ['settled', 'handed out'])
})

test('reading that was aborted goes on where it was', async (t) => {
  const topic = await newTopic()
  await publisherOf(t, topic).publish(numbered(10))
  const subscriber = subscriberOf(t, { topics: [topic], group: newGroup(), window: 4 })
  const first = await take(subscriber, 4)
  await subscriber.settle(first, ACCEPT)
  const second = await take(subscriber, 4)
  assert.deepEqual([...first, ...second].map(textOfBody), ['0', '1', '2', '3', '4', '5', '6', '7'])
})

test('a group that begins at the latest sees only what comes after, also when it crashed in between', async (t) => {
  const topic = await newTopic()
  const group = newGroup()
  const publisher = publisherOf(t, topic)
  await publisher.publish([message('before')])
  const first = subscriberOf(t, { topics: [topic], group, start: 'latest', commitIntervalMs: 0 })
  await first.open()
  await untilCommitted(topic, group, 1n)
  await publisher.publish([message('after')])
  await first.close()
  const [got] = await take(subscriberOf(t, { topics: [topic], group, start: 'latest' }), 1)
  assert.equal(got && textOfBody(got), 'after')
})

test('an offset that the log no longer has begins again where start says', async (t) => {
  const topic = await newTopic()
  const group = newGroup()
  await publisherOf(t, topic).publish(numbered(5))
  const first = subscriberOf(t, { topics: [topic], group })
  await first.settle(await take(first, 5), ACCEPT)
  await first.close()
  await withAdmin((admin) => admin.deleteTopics({ topics: [topic] }))
  await eventually(async () => {
    const made = await createTopics({ brokers: brokers() }, [{ name: topic, partitions: 1, replicas: 1 }])
    assert.deepEqual(made, [topic])
  })
  confirmed(await publisherOf(t, topic).publish(numbered(2)))
  const again = subscriberOf(t, { topics: [topic], group })
  assert.deepEqual((await take(again, 2)).map(textOfBody), ['0', '1'])
})

test('several topics are read by one member', async (t) => {
  const topics = [await newTopic(2), await newTopic()]
  for (const topic of topics) await publisherOf(t, topic).publish(numbered(10))
  const got = await take(subscriberOf(t, { topics, group: newGroup() }), 20)
  assert.deepEqual(new Set(got.map(({ position }) => position.destination)), new Set(topics))
})

test('open says what is missing: the broker, or the topic', async (t) => {
  const away = kafkaTransport({ brokers: '127.0.0.1:1' }).subscriber({
    topics: ['a'],
    group: 'g',
    lostAfterMs: 300,
  })
  t.after(() => away.close())
  await assert.rejects(away.open(), (error) => {
    return error instanceof UnavailableError && /127\.0\.0\.1:1.*ECONNREFUSED/.test(error.message)
  })
  const missing = subscriberOf(t, { topics: ['missing-topic'], group: newGroup(), lostAfterMs: 300 })
  await assert.rejects(missing.open(), (error) => {
    return error instanceof UnavailableError && /missing-topic/.test(error.message)
  })
})
