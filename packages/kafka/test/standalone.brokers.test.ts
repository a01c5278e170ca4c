import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Delivery, PermanentError, UnavailableError } from '@throughline/core'
import { UNKNOWN_TOPIC_CODE } from '@throughline/kafka'
import { eventually } from '@throughline/testkit'
import {
  ACCEPT,
  committedOffsets,
  confirmed,
  newGroup,
  newTopic,
  numbered,
  proxyOf,
  publisherOf,
  subscriberOf,
  take,
  takeAndAccept,
  textOfBody,
  withAdmin,
} from './support.ts'

async function groupsOfBroker(): Promise<readonly string[]> {
  const groups = await withAdmin((admin) => admin.listGroups())
  return [...groups.keys()].sort()
}

test('without a group every partition is read, no group comes to be and none moves', async (t) => {
  const topic = await newTopic(3)
  const group = newGroup()
  confirmed(await publisherOf(t, topic).publish(numbered(60, 20)))
  const member = subscriberOf(t, { topics: [topic], group })
  const half = (await take(member, 60)).filter(({ position: { partition } }) => partition === 1)
  await member.settle(half, ACCEPT)
  await member.close()
  const groups = await groupsOfBroker()
  const committed = await committedOffsets(topic, group)

  const reader = subscriberOf(t, { topics: [topic] })
  const read = await takeAndAccept(reader, 60)
  await reader.close()
  assert.deepEqual(new Set(read.map(({ position: { partition } }) => partition)), new Set([0, 1, 2]))
  assert.equal(new Set(read.map(textOfBody)).size, 60)
  assert.deepEqual(reader.attributes, {})
  assert.deepEqual(await groupsOfBroker(), groups)
  assert.deepEqual(await committedOffsets(topic, group), committed)
})

test('without a group it begins at the end, or at a time, where asked to', async (t) => {
  const topic = await newTopic()
  const publisher = publisherOf(t, topic)
  confirmed(await publisher.publish(numbered(3)))
  const latest = subscriberOf(t, { topics: [topic], start: 'latest' })
  await latest.open()
  const future = subscriberOf(t, { topics: [topic], start: new Date(Date.now() + 3_600_000) })
  await future.open()
  const [before] = await take(subscriberOf(t, { topics: [topic] }), 3)
  const since = Date.now() + 1
  await eventually(() => assert.ok(Date.now() > since))
  confirmed(await publisher.publish(numbered(2, 0, 3)))
  assert.deepEqual((await take(latest, 2)).map(textOfBody), ['3', '4'])
  assert.deepEqual((await take(future, 2)).map(textOfBody), ['3', '4'])
  const timed = subscriberOf(t, { topics: [topic], start: new Date(since) })
  assert.deepEqual((await take(timed, 2)).map(textOfBody), ['3', '4'])
  const first = subscriberOf(t, { topics: [topic], start: new Date(before?.position.timestampMs ?? 0) })
  assert.deepEqual((await take(first, 5)).map(textOfBody), ['0', '1', '2', '3', '4'])
})

test('without a group it goes on where it was after a lost connection', async (t) => {
  const topic = await newTopic()
  const publisher = publisherOf(t, topic)
  confirmed(await publisher.publish(numbered(3)))
  const proxy = await proxyOf(t)

  const reader = subscriberOf(t, { topics: [topic], start: 'latest', lostAfterMs: 300 }, proxy.address)
  const got: string[] = []
  async function readUntil(count: number): Promise<void> {
    for await (const deliveries of reader.deliveries()) {
      got.push(...deliveries.map((each: Delivery) => textOfBody(each)))
      await reader.settle(deliveries, ACCEPT)
      if (got.length >= count) return
    }
  }
  await reader.open()
  confirmed(await publisher.publish(numbered(2, 0, 3)))
  await readUntil(2)
  await proxy.refuse()
  await assert.rejects(readUntil(3), UnavailableError)
  confirmed(await publisher.publish(numbered(2, 0, 5)))
  await proxy.restore()
  await readUntil(4)
  assert.deepEqual(got, ['3', '4', '5', '6'])
})

test('without a group a topic that does not exist is named', async (t) => {
  const reader = subscriberOf(t, { topics: ['nobody-made-this'] })
  await assert.rejects(reader.open(), (error) => {
    assert.ok(error instanceof PermanentError)
    assert.equal(error.code, UNKNOWN_TOPIC_CODE)
    assert.match(error.message, /topic nobody-made-this does not exist/)
    return true
  })
})
