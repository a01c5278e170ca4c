import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PermanentError } from '@throughline/core'
import { type KafkaSeek, kafkaTransport } from '@throughline/kafka'
import { eventually } from '@throughline/testkit'
import {
  ACCEPT,
  committedOffsets,
  confirmed,
  message,
  newGroup,
  newTopic,
  numbered,
  publisherOf,
  subscriberOf,
  take,
  takeAndAccept,
  textOfBody,
} from './support.ts'

for (const groupProtocol of ['classic', 'consumer'] as const) {
  describe(`a group that seeks, by the ${groupProtocol} protocol`, () => {
    test('goes back to an offset once, and what it had behind it is a replay', async (t) => {
      const topic = await newTopic()
      const publisher = publisherOf(t, topic)
      const options = { topics: [topic], group: newGroup(), groupProtocol }
      const seekTo: KafkaSeek = { name: 'after-the-fix', to: { [topic]: { 0: 4n } } }
      confirmed(await publisher.publish(numbered(10)))
      const before = subscriberOf(t, options)
      await takeAndAccept(before, 10)
      await before.close()
      confirmed(await publisher.publish(numbered(2, 0, 10)))

      const first = subscriberOf(t, { ...options, seekTo })
      const read = await take(first, 8)
      assert.deepEqual(
        read.map((delivery) => [textOfBody(delivery), delivery.replayed ?? false]),
        [4, 5, 6, 7, 8, 9, 10, 11].map((number) => [String(number), number < 10]),
      )
      await first.settle(read.slice(0, 3), ACCEPT)
      await first.close()
      assert.deepEqual(await committedOffsets(topic, options.group), new Map([[0, 7n]]))

      // It started again, or another member got the partition: the same seek goes on, and is not made a second time.
      const second = subscriberOf(t, { ...options, seekTo })
      const rest = await takeAndAccept(second, 5)
      assert.deepEqual(
        rest.map((delivery) => [textOfBody(delivery), delivery.replayed ?? false]),
        [7, 8, 9, 10, 11].map((number) => [String(number), number < 10]),
      )
      await second.close()
      const done = subscriberOf(t, { ...options, seekTo })
      await done.open()
      confirmed(await publisher.publish(numbered(1, 0, 12)))
      const [next] = await takeAndAccept(done, 1)
      assert.equal(next && textOfBody(next), '12')
      assert.equal(next?.replayed, undefined)
      await done.close()

      const anew = subscriberOf(t, { ...options, seekTo: { name: 'once-more', to: 'earliest' } })
      assert.equal((await take(anew, 13)).filter(({ replayed }) => replayed).length, 13)
    })

    test('a group that has committed nothing yet has nothing to replay', async (t) => {
      const topic = await newTopic()
      confirmed(await publisherOf(t, topic).publish(numbered(3)))
      const seekTo = { name: 'from-1', to: { [topic]: { 0: 1n } } }
      const subscriber = subscriberOf(t, { topics: [topic], group: newGroup(), groupProtocol, seekTo })
      const read = await take(subscriber, 2)
      assert.deepEqual(
        read.map((delivery) => [textOfBody(delivery), delivery.replayed]),
        [
          ['1', undefined],
          ['2', undefined],
        ],
      )
    })
  })
}

test('a group goes to a time, and forward to the end, over what nobody is to handle', async (t) => {
  const topic = await newTopic()
  const publisher = publisherOf(t, topic)
  const options = { topics: [topic], group: newGroup() }
  confirmed(await publisher.publish([message('early')]))
  const member = subscriberOf(t, options)
  const [early] = await takeAndAccept(member, 1)
  const earlyMs = early?.position.timestampMs ?? 0
  await eventually(() => assert.ok(Date.now() > earlyMs + 1))
  confirmed(await publisher.publish([message('late')]))
  const [late] = await takeAndAccept(member, 1)
  await member.close()

  const to = new Date(late?.position.timestampMs ?? 0)
  const back = subscriberOf(t, { ...options, seekTo: { name: 'to-a-time', to } })
  const [again] = await take(back, 1)
  assert.equal(again && textOfBody(again), 'late')
  assert.equal(again?.replayed, true)
  await back.close()

  confirmed(await publisher.publish(numbered(100)))
  const forward = subscriberOf(t, { ...options, seekTo: { name: 'to-the-end', to: 'latest' } })
  await forward.open()
  await eventually(async () =>
    assert.deepEqual(await committedOffsets(topic, options.group), new Map([[0, 102n]])),
  )
  confirmed(await publisher.publish([message('new')]))
  const [first] = await take(forward, 1)
  assert.equal(first && textOfBody(first), 'new')
})

test('two members with one seek make it once: what has been read again is not read a third time', async (t) => {
  const topic = await newTopic(4)
  const options = { topics: [topic], group: newGroup(), groupProtocol: 'consumer' } as const
  confirmed(await publisherOf(t, topic).publish(numbered(200, 50)))
  const before = subscriberOf(t, options)
  await takeAndAccept(before, 200)
  await before.close()
  const seekTo = { name: 'all-again', to: 'earliest' } as const
  const got: string[] = []
  const read = async (subscriber: ReturnType<typeof subscriberOf>) => {
    for await (const deliveries of subscriber.deliveries()) {
      got.push(...deliveries.map(textOfBody))
      assert.ok(deliveries.every(({ replayed }) => replayed))
      await subscriber.settle(deliveries, ACCEPT)
    }
  }
  const first = subscriberOf(t, { ...options, seekTo, window: 20, commitIntervalMs: 10 })
  const second = subscriberOf(t, { ...options, seekTo, window: 20, commitIntervalMs: 10 })
  const reading = [read(first), read(second)]
  await eventually(() => assert.equal(new Set(got).size, 200), { timeoutMs: 20_000 })
  await first.close()
  await second.close()
  await Promise.all(reading)
  // Only what was out when a partition moved may have come twice.
  assert.ok(got.length <= 240, `${got.length} deliveries of 200`)
})

test('a seek that can be none is refused where it is given', () => {
  const { subscriber } = kafkaTransport({ brokers: 'localhost:9092' })
  for (const [options, words] of [
    [{ topics: ['a'], seekTo: { name: 'n', to: 'earliest' } }, /group/],
    [{ topics: ['a'], group: 'g', seekTo: { name: '', to: 'earliest' } }, /seekTo\.name/],
    [{ topics: ['a'], group: 'g', seekTo: { name: 'n', to: new Date(Number.NaN) } }, /invalid Date/],
  ] as const) {
    assert.throws(
      () => subscriber(options),
      (error) => error instanceof PermanentError && words.test(error.message),
    )
  }
})
