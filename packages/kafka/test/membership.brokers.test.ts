import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Connection,
  Consumer,
  consumerFetchesChannel,
  consumerGroupChannel,
  consumerGroupDescribeV0,
} from '@platformatic/kafka'
import type { Delivery } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import {
  ACCEPT,
  brokers,
  committedOffsets,
  confirmed,
  memberOf,
  message,
  newGroup,
  newTopic,
  numbered,
  proxyOf,
  publisherOf,
  publishToBoth,
  subscriberOf,
  take,
  textOfBody,
  untilCommitted,
  withAdmin,
} from './support.ts'

/** What each protocol is given, and how long its group waits for a silent member: the test brokers' own, where they say. */
const protocols = [
  { groupProtocol: 'classic', sessionMs: 3000, times: { sessionTimeoutMs: 3000 } },
  { groupProtocol: 'consumer', sessionMs: 6000, times: {} },
] as const

/** Calls of the driver while `work` runs, of clients of this group. */
async function callsDuring(
  channel: typeof consumerFetchesChannel,
  isCounted: (consumer: Consumer, operation: unknown) => boolean,
  work: () => Promise<void>,
): Promise<number> {
  let calls = 0
  const onStart = (context: unknown) => {
    const { client, operation } = Object(context)
    if (client instanceof Consumer && isCounted(client, operation)) calls++
  }
  channel.start.subscribe(onStart)
  try {
    await work()
  } finally {
    channel.start.unsubscribe(onStart)
  }
  return calls
}

/** A group of the consumer protocol, as the broker sees it. Its epoch rises with every rebalance. */
async function describeGroup(group: string) {
  const connection = new Connection('test')
  const [host = '', port] = brokers().split(':')
  await connection.connect(host, Number(port))
  try {
    const { groups } = await consumerGroupDescribeV0.api.async(connection, [group], false)
    return groups[0] ?? assert.fail(`no group ${group}`)
  } finally {
    await connection.close()
  }
}

async function memberIds(groupProtocol: 'classic' | 'consumer', group: string): Promise<readonly string[]> {
  if (groupProtocol === 'consumer')
    return (await describeGroup(group)).members.map(({ memberId }) => memberId)
  const groups = await withAdmin((admin) => admin.describeGroups({ groups: [group] }))
  return [...(groups.get(group)?.members.keys() ?? [])]
}

for (const { groupProtocol, sessionMs, times } of protocols) {
  const common = { groupProtocol, ...times }

  test(`${groupProtocol}: held for longer than the session timeout, deliveries stay ours, and a full window reads nothing more`, async (t) => {
    const topic = await newTopic()
    const group = newGroup()
    const publisher = publisherOf(t, topic)
    confirmed(await publisher.publish(Array.from({ length: 2000 }, () => message(Buffer.alloc(1000)))))
    const subscriber = subscriberOf(t, {
      ...common,
      topics: [topic],
      group,
      window: 10,
      maxFetchBytes: 65_536,
      commitIntervalMs: 10,
    })
    const reading = subscriber.deliveries()[Symbol.asyncIterator]()
    const held: readonly Delivery[] = (await reading.next()).value ?? []
    assert.equal(held.length, 10)
    const next = reading.next()
    const fetches = await callsDuring(
      consumerFetchesChannel,
      ({ groupId }) => groupId === group,
      // The time itself is what this is about.
      () => delay(sessionMs + 1500),
    )
    // What is read ahead is one answer, of at most maxFetchBytes; a second one would make memory grow with the wait.
    assert.ok(fetches <= 1, `${fetches} fetches while the window was full`)
    assert.ok(held.every(({ signal }) => !signal?.aborted))
    await subscriber.settle(held, ACCEPT)
    await untilCommitted(topic, group, 10n)
    const after: readonly Delivery[] = (await next).value ?? []
    assert.equal(after[0]?.position.offset, 10n)
  })

  test(`${groupProtocol}: what a member settles after the group has thrown it out does not count`, async (t) => {
    const topic = await newTopic()
    const group = newGroup()
    const proxy = await proxyOf(t)
    await publisherOf(t, topic).publish(numbered(5))
    // It does not give up by itself before the group gives it up.
    const options = { ...common, topics: [topic], group, lostAfterMs: 60_000, commitIntervalMs: 10 }
    const silent = subscriberOf(t, options, proxy.address)
    const held = await take(silent, 5)
    proxy.stall()
    const other = memberOf(t, { ...common, topics: [topic], group }, false)
    await eventually(() => assert.equal(other.got.length, 5), { timeoutMs: 30_000 })
    await other.subscriber.settle(other.got.slice(0, 2), ACCEPT)
    await untilCommitted(topic, group, 2n)
    // Its commit is held back on the way, and arrives when the partition is another member's.
    await silent.settle(held, ACCEPT)
    await proxy.restore()
    await eventually(() => assert.ok(held.every(({ signal }) => signal?.aborted)), { timeoutMs: 10_000 })
    assert.equal((await committedOffsets(topic, group)).get(0), 2n)
    await other.subscriber.settle(other.got.slice(2), ACCEPT)
    await untilCommitted(topic, group, 5n)
  })

  test(`${groupProtocol}: a member with a name comes back to its partitions, and the group does not rebalance`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    const toPartition = (partition: number) => publisherOf(t, topic, { partition })
    const options = { ...common, topics: [topic], group }
    const stays = memberOf(t, { ...options, instanceId: 'stays' }, true)
    const leaves = memberOf(t, { ...options, instanceId: 'leaves' }, true)
    const all = [toPartition(0), toPartition(1)]
    // Until each has a partition of its own.
    await eventually(
      async () => {
        for (const publisher of all) await publisher.publish([message('before')])
        const last = [stays, leaves].map(({ got }) => got.at(-1)?.position.partition)
        assert.deepEqual(new Set(last), new Set([0, 1]))
      },
      { timeoutMs: 20_000 },
    )
    const partition = leaves.got.at(-1)?.position.partition ?? -1
    const epochOf = async () => (groupProtocol === 'consumer' ? (await describeGroup(group)).groupEpoch : 0)
    const epoch = await epochOf()
    const joins = await callsDuring(
      consumerGroupChannel,
      ({ groupInstanceId }, operation) => groupInstanceId === 'stays' && operation === 'joinGroup',
      async () => {
        await leaves.subscriber.close()
        for (const publisher of all) await publisher.publish([message('meanwhile')])
        await eventually(() => assert.equal(textOfBody(stays.got.at(-1) ?? assert.fail()), 'meanwhile'))
        const back = memberOf(t, { ...options, instanceId: 'leaves' }, true)
        // What was read and not yet settled when it left comes again before it.
        await eventually(() => assert.equal(textOfBody(back.got.at(-1) ?? assert.fail()), 'meanwhile'))
        assert.ok(back.got.every(({ position }) => position.partition === partition))
      },
    )
    assert.equal(joins, 0)
    assert.equal(await epochOf(), epoch)
    const twice = stays.got.filter((each) => textOfBody(each) === 'meanwhile')
    assert.equal(twice.length, 1)
  })

  test(`${groupProtocol}: after a loss a member comes back as the one it was`, async (t) => {
    const topic = await newTopic(2)
    const group = newGroup()
    const proxy = await proxyOf(t)
    const options = { ...common, topics: [topic], group, lostAfterMs: 300 }
    const subscriber = subscriberOf(t, options, proxy.address, 1000)
    await publishToBoth(t, topic, numbered(3))
    const held = await take(subscriber, 6)
    const ids = await memberIds(groupProtocol, group)
    assert.equal(ids.length, 1)
    await proxy.refuse()
    await assert.rejects(take(subscriber, 1))
    assert.ok(held.every(({ signal }) => signal?.aborted))
    await proxy.restore()
    assert.equal((await take(subscriber, 6)).length, 6)
    // As another member it would have waited for its own ghost, which holds the partitions for the whole session.
    assert.deepEqual(await memberIds(groupProtocol, group), ids)
  })
}

test('consumer: a delivery held for 10 s while another member joins: settled meanwhile, it is not handled twice', async (t) => {
  const topic = await newTopic(2)
  const group = newGroup()
  await publishToBoth(t, topic, numbered(3))
  const options = { groupProtocol: 'consumer', topics: [topic], group } as const
  const first = subscriberOf(t, { ...options, revokeGraceMs: 15_000, commitIntervalMs: 60_000 })
  const held = await take(first, 6)
  const second = memberOf(t, options, true)
  await second.subscriber.open()
  // Longer than the session timeout: heartbeats go on while the partition that moves is waited for.
  await delay(10_000)
  assert.equal(second.got.length, 0)
  assert.ok(held.every(({ signal }) => !signal?.aborted))
  await first.settle(held, ACCEPT)
  await eventually(async () => {
    const committed = await committedOffsets(topic, group)
    assert.ok([...committed.values()].includes(3n))
  })
  await publishToBoth(t, topic, numbered(1, 0, 3))
  await eventually(() => assert.equal(second.got.length, 1), { timeoutMs: 20_000 })
  assert.deepEqual(second.got.map(textOfBody), ['3'])
})

test('members of both protocols share a group while it is moved', async (t) => {
  const topic = await newTopic(2)
  const group = newGroup()
  const options = { topics: [topic], group }
  const old = memberOf(t, { ...options, groupProtocol: 'classic', sessionTimeoutMs: 6000 }, true)
  await old.subscriber.open()
  const fresh = memberOf(t, { ...options, groupProtocol: 'consumer' }, true)
  const all = [0, 1].map((partition) => publisherOf(t, topic, { partition }))
  let sent = 0
  await eventually(
    async () => {
      for (const publisher of all) await publisher.publish([message(String(sent++))])
      assert.ok(old.got.length > 0 && fresh.got.length > 0)
      assert.equal(new Set([...old.got, ...fresh.got].map(textOfBody)).size, sent)
    },
    { timeoutMs: 20_000 },
  )
})
