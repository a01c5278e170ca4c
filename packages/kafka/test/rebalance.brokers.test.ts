import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Delivery } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import {
  ACCEPT,
  committedOffsets,
  type Member,
  memberOf,
  newGroup,
  newTopic,
  numbered,
  publisherOf,
  publishToBoth,
  subscriberOf,
  take,
  textOfBody,
  untilCommitted,
} from './support.ts'

const partitionsOf = (deliveries: readonly Delivery[]) =>
  new Set(deliveries.map(({ position }) => position.partition))

for (const groupProtocol of ['classic', 'consumer'] as const) {
  test(`${groupProtocol}: what was settled before a partition is given away does not come again at its new owner`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    const publisher = publisherOf(t, topic)
    await publishToBoth(t, topic, numbered(10))
    // An interval that never comes: only the hand-over itself can commit.
    const first = subscriberOf(t, { topics: [topic], groupProtocol, group, commitIntervalMs: 60_000 })
    const held = await take(first, 20)
    await first.settle(
      held.filter(({ position }) => (position.offset ?? 0n) < 5n),
      ACCEPT,
    )
    const second = memberOf(t, { topics: [topic], groupProtocol, group }, true)
    await eventually(() => assert.equal(second.got.length, 5), { timeoutMs: 20_000 })
    assert.deepEqual(second.got.map(textOfBody), ['5', '6', '7', '8', '9'])
    const [moved] = partitionsOf(second.got)
    for (const delivery of held) {
      assert.equal(delivery.signal?.aborted, delivery.position.partition === moved)
    }
    await publisher.close()
  })

  test(`${groupProtocol}: what is settled within the grace is not handled twice`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    await publishToBoth(t, topic, numbered(3))
    const first = subscriberOf(t, {
      topics: [topic],
      groupProtocol,
      group,
      revokeGraceMs: 2900,
      commitIntervalMs: 60_000,
    })
    const held = await take(first, 6)
    const second = memberOf(t, { topics: [topic], groupProtocol, group }, true)
    await second.subscriber.open()
    await first.settle(held, ACCEPT)
    await eventually(
      async () => {
        const committed = await committedOffsets(topic, group)
        assert.ok([...committed.values()].includes(3n))
      },
      { timeoutMs: 20_000 },
    )
    await publishToBoth(t, topic, numbered(1, 0, 3))
    await eventually(() => assert.equal(second.got.length, 1), { timeoutMs: 20_000 })
    assert.deepEqual(second.got.map(textOfBody), ['3'])
  })

  test(`${groupProtocol}: a delivery held through a rebalance: its partition kept, it counts; its partition gone, it is aborted and does not`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    await publishToBoth(t, topic, numbered(2))
    const first = memberOf(t, { topics: [topic], groupProtocol, group, revokeGraceMs: 0 }, false)
    await eventually(() => assert.equal(first.got.length, 4))
    const second = memberOf(t, { topics: [topic], groupProtocol, group }, false)
    await eventually(() => assert.equal(second.got.length, 2), { timeoutMs: 20_000 })
    const [moved = -1] = partitionsOf(second.got)
    await first.subscriber.settle(first.got, ACCEPT)
    await untilCommitted(topic, group, 2n, 1 - moved)
    assert.notEqual((await committedOffsets(topic, group)).get(moved), 2n)
    // The one that stayed was not read again, as it would be from its committed offset.
    assert.equal(first.got.length, 4)
    await second.subscriber.settle(second.got, ACCEPT)
    await untilCommitted(topic, group, 2n, moved)
  })

  test(`${groupProtocol}: a partition that comes back without anything settled is read again`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    await publishToBoth(t, topic, numbered(5))
    const first = memberOf(t, { topics: [topic], groupProtocol, group, revokeGraceMs: 0 }, false)
    await eventually(() => assert.equal(first.got.length, 10))
    const second = memberOf(t, { topics: [topic], groupProtocol, group }, false)
    await eventually(() => assert.equal(second.got.length, 5), { timeoutMs: 20_000 })
    const [moved] = partitionsOf(second.got)
    await second.subscriber.close()
    await eventually(() => assert.equal(first.got.length, 15), { timeoutMs: 20_000 })
    assert.deepEqual(partitionsOf(first.got.slice(10)), new Set([moved]))
  })

  test(`${groupProtocol}: members that come and go under load lose nothing, and first arrivals of a key are in order`, async (t) => {
    const topic = await newTopic(4)
    const options = { topics: [topic], groupProtocol, group: newGroup(), window: 50 } as const
    const publisher = publisherOf(t, topic)
    let sent = 0
    async function publishUntil(reached: () => boolean): Promise<void> {
      while (!reached()) {
        await publisher.publish(numbered(100, 50, sent))
        sent += 100
        await eventually(() => assert.ok(arrivals.length > sent - 1000), { timeoutMs: 20_000 })
      }
    }
    const arrivals: string[] = []
    const members: Member[] = []
    async function joinAnother(): Promise<void> {
      const joined = memberOf(t, options, true, (delivery) => arrivals.push(textOfBody(delivery)))
      members.push(joined)
      await publishUntil(() => joined.got.length > 0)
    }
    await joinAnother()
    await joinAnother()
    await joinAnother()
    await members[0]?.subscriber.close()
    const firsts = () => [...new Set(arrivals)].map(Number)
    await eventually(() => assert.equal(firsts().length, sent), { timeoutMs: 30_000 })
    for (const numbers of Map.groupBy(firsts(), (number) => (number % 100) % 50).values()) {
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      )
    }
    // Settled at once, so that only what was handed out in the moment of a hand-over can come twice.
    const twice = arrivals.length - sent
    assert.ok(twice <= 150, `${twice} of ${sent} came twice`)
  })
}
