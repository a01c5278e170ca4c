import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { ListOffsetTimestamps } from '@platformatic/kafka'
import { PermanentError, UnavailableError } from '@throughline/core'
import { createTopics, kafkaTransport } from '@throughline/kafka'
import { eventually } from '@throughline/testkit'
import {
  brokers,
  confirmed,
  message,
  newGroup,
  newTopic,
  numbered,
  proxyOf,
  publisherOf,
  readTopic,
  subscriberOf,
  textOfBody,
  withAdmin,
} from './support.ts'

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index)

test('bytes, headers and keys arrive exactly: nothing, one byte, all bytes, a mebibyte, a tombstone', async (t) => {
  const topic = await newTopic(1, { 'max.message.bytes': '4194304' })
  const sent = [
    message(new Uint8Array()),
    message(Uint8Array.of(0)),
    message(ALL_BYTES, { key: ALL_BYTES, headers: [['bytes', ALL_BYTES]] }),
    message(Buffer.alloc(1024 * 1024, 'x'), { key: '' }),
    message(null, { key: 'order-1' }),
    message('text', {
      contentType: 'text/plain; charset=utf-8',
      headers: [
        ['traceparent', '00-1-2-01'],
        ['Zürich', 'Grüße'],
        ['twice', '1'],
        ['twice', '2'],
        ['empty', ''],
      ],
    }),
  ]
  const results = confirmed(await publisherOf(t, topic).publish(sent))
  const got = await readTopic(t, topic, sent.length)
  got.forEach(({ message: read, position }, index) => {
    const expected = sent[index]
    assert.deepEqual(read.body && Buffer.from(read.body), expected?.body && Buffer.from(expected.body))
    assert.deepEqual(
      read.headers.map(([name, value]) => [name, Buffer.from(value)]),
      expected?.headers.map(([name, value]) => [name, Buffer.from(value)]),
    )
    assert.equal(read.contentType, expected?.contentType)
    assert.deepEqual(
      read.key === undefined ? undefined : Buffer.from(read.key),
      expected?.key === undefined ? undefined : Buffer.from(expected.key),
    )
    assert.equal(position.offset, results[index]?.offset)
  })
})

test('each result has the partition and offset where its message stands', async (t) => {
  const topic = await newTopic(3)
  const publisher = publisherOf(t, topic)
  const calls = Array.from({ length: 20 }, (_, call) => {
    const keyed = numbered(30, 7, call * 40)
    const unkeyed = numbered(10, 0, call * 40 + 30)
    return publisher.publish([...keyed, ...unkeyed])
  })
  const results = confirmed((await Promise.all(calls)).flat())
  const got = await readTopic(t, topic, 800)
  assert.equal(got.length, 800)
  const read = new Map(got.map((each) => [textOfBody(each), each.position]))
  results.forEach(({ partition, offset }, index) => {
    const position = read.get(String(index))
    assert.deepEqual([position?.partition, position?.offset], [partition, offset], `message ${index}`)
  })
  assert.equal(new Set(results.map(({ partition }) => partition)).size, 3)
})

test('messages of one key stay in one partition, in the order of the calls', async (t) => {
  const topic = await newTopic(3)
  const publisher = publisherOf(t, topic)
  await Promise.all(numbered(500, 5).map((each) => publisher.publish([each])))
  const got = await readTopic(t, topic, 500)
  const byKey = Map.groupBy(got, ({ message: { key } }) => String(key))
  assert.equal(byKey.size, 5)
  for (const deliveries of byKey.values()) {
    const numbers = deliveries.map((each) => Number(textOfBody(each)))
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(deliveries.map(({ position }) => position.partition)).size, 1)
    assert.equal(new Set(deliveries.map(({ orderKey }) => orderKey)).size, 1)
  }
})

test('messages of overlapping calls share requests', async (t) => {
  const topic = await newTopic()
  let requests = 0
  const channel = tracingChannel('plt:kafka:producer:sends')
  const count = () => requests++
  channel.start.subscribe(count)
  t.after(() => channel.start.unsubscribe(count))
  const publisher = publisherOf(t, topic)
  const results = (await Promise.all(numbered(200).map((each) => publisher.publish([each])))).flat()
  assert.deepEqual(
    confirmed(results).map(({ offset }) => offset),
    Array.from({ length: 200 }, (_, index) => BigInt(index)),
  )
  assert.ok(requests <= 3, `${requests} requests`)
})

test('one message too large is its own error and does not spoil its batch', async (t) => {
  const topic = await newTopic(1, { 'max.message.bytes': '20000' })
  const messages = numbered(9)
  messages[4] = message(Buffer.alloc(30_000))
  const results = await publisherOf(t, topic).publish(messages)
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, true, true, true, false, true, true, true, true],
  )
  const [failed] = results.filter((each) => !each.ok)
  assert.ok(failed?.error instanceof PermanentError)
  assert.equal(failed.error.code, 'TL_TOO_LARGE')
  const got = await readTopic(t, topic, 8)
  assert.deepEqual(got.map(textOfBody), ['0', '1', '2', '3', '5', '6', '7', '8'])
})

test('a batch that is too large together, though each message is not, goes in parts', async (t) => {
  const topic = await newTopic(1, { 'max.message.bytes': '20000' })
  const messages = Array.from({ length: 16 }, (_, index) => message(Buffer.alloc(5000, index)))
  const results = confirmed(await publisherOf(t, topic).publish(messages))
  assert.deepEqual(
    results.map(({ offset }) => offset),
    Array.from({ length: 16 }, (_, index) => BigInt(index)),
  )
})

test('a record that the topic refuses is that message’s error alone', async (t) => {
  const topic = await newTopic(1, { 'cleanup.policy': 'compact' })
  const results = await publisherOf(t, topic).publish([
    message('1', { key: 'a' }),
    message('2'),
    message('3', { key: 'a' }),
  ])
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, false, true],
  )
  const failed = results[1]
  assert.ok(failed?.ok === false && failed.error instanceof PermanentError)
})

test('a topic that does not exist or cannot exist is a permanent error of its messages alone', async (t) => {
  const topic = await newTopic()
  const results = await publisherOf(t, topic).publish([
    message('1'),
    message('2', { destination: `${topic}-missing` }),
    message('3', { destination: 'not a topic' }),
    message('4'),
  ])
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, false, false, true],
  )
  const errors = results.flatMap((each) => (each.ok ? [] : [each.error]))
  assert.ok(errors.every((error) => error instanceof PermanentError))
  assert.match(errors[0]?.message ?? '', /has no topic .*-missing/)
  assert.equal(errors[0]?.code, 'TL_KAFKA_TOPIC_UNKNOWN')
  assert.match(errors[1]?.message ?? '', /"not a topic"/)
})

test('a fixed partition is kept, and one that does not exist is named', async (t) => {
  const topic = await newTopic(3)
  const [kept] = confirmed(
    await publisherOf(t, topic, { partition: 2 }).publish([message('1', { key: 'k' })]),
  )
  assert.equal(kept?.partition, 2)
  const [failed] = await publisherOf(t, topic, { partition: 3 }).publish([message('1')])
  assert.ok(failed?.ok === false && failed.error instanceof PermanentError)
  assert.match(failed.error.message, /partition 3 .* it has 3/)
})

test('with the broker away each message has its own UnavailableError, and later ones go through', async (t) => {
  const topic = await newTopic()
  const proxy = await proxyOf(t)
  const publisher = publisherOf(t, topic, { brokers: proxy.address, timeoutMs: 1000 })
  confirmed(await publisher.publish([message('before')]))
  for (const breakIt of [() => proxy.refuse(), async () => proxy.stall()]) {
    await breakIt()
    const results = (
      await Promise.all([publisher.publish(numbered(3)), publisher.publish(numbered(2))])
    ).flat()
    assert.equal(results.length, 5)
    for (const result of results) {
      assert.ok(!result.ok && result.error instanceof UnavailableError, String(result))
      assert.match(result.error.message, new RegExp(`${proxy.address}.*1000 ms`))
    }
    await proxy.restore()
    const patient = publisherOf(t, topic, { brokers: proxy.address })
    confirmed(await patient.publish([message('after')]))
  }
})

test('nothing is lost, nothing stands twice and no key loses its order when connections are cut again and again', async (t) => {
  const topic = await newTopic(3)
  const proxy = await proxyOf(t)
  const publisher = publisherOf(t, topic, { brokers: proxy.address })
  const results: Promise<unknown>[] = []
  for (let from = 0; from < 2000; from += 50) {
    results.push(publisher.publish(numbered(50, 10, from)).then(confirmed))
    await new Promise(setImmediate)
    if (from % 250 === 0) proxy.cut()
  }
  await Promise.all(results)
  const seen = new Set<string>()
  const got = subscriberOf(t, { topics: [topic], group: newGroup(), window: 10_000 })
  const firsts = new Map<string, number[]>()
  for await (const deliveries of got.deliveries()) {
    for (const delivery of deliveries) {
      const body = textOfBody(delivery)
      assert.ok(!seen.has(body), `${body} came twice`)
      seen.add(body)
      const key = String(delivery.message.key)
      firsts.set(key, [...(firsts.get(key) ?? []), Number(body)])
    }
    if (seen.size === 2000) break
  }
  for (const numbers of firsts.values())
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
})

test('open says which broker cannot be reached', async (t) => {
  const publisher = kafkaTransport({ brokers: '127.0.0.1:1' }).publisher({ topic: 'orders' })
  t.after(() => publisher.close())
  await assert.rejects(publisher.open(), (error) => {
    return error instanceof UnavailableError && /127\.0\.0\.1:1.*ECONNREFUSED/.test(error.message)
  })
})

test('close waits for what is in flight; afterwards nothing is taken', async () => {
  const topic = await newTopic()
  const publisher = kafkaTransport({ brokers: brokers() }).publisher({ topic, lingerMs: 60_000 })
  const inFlight = publisher.publish(numbered(100))
  const [results] = await Promise.all([inFlight, publisher.close(), publisher.close()])
  assert.equal(confirmed(results).length, 100)
  const [late] = await publisher.publish([message('late')])
  assert.ok(late?.ok === false && late.error instanceof UnavailableError)
})

test('an empty call answers at once', async (t) => {
  assert.deepEqual(await publisherOf(t, await newTopic()).publish([]), [])
})

test('topics are created once; those that exist are left alone', async () => {
  const name = `${await newTopic()}-b`
  const options = { brokers: brokers() }
  assert.deepEqual(await createTopics(options, [{ name, partitions: 2, replicas: 1 }]), [name])
  assert.deepEqual(await createTopics(options, [{ name, partitions: 5 }]), [])
  await assert.rejects(createTopics(options, [{ name: 'not a topic' }]), PermanentError)
  await assert.rejects(createTopics({ brokers: '127.0.0.1:1' }, [{ name }]), UnavailableError)
})

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`a batch that is compressed with ${compression} takes less room, and is read as it was`, async (t) => {
    const topic = await newTopic()
    const body = Buffer.from('the same words again and again, '.repeat(1000))
    const headers = [['name', 'value']] as const
    const publisher = publisherOf(t, topic, { compression })
    const messages = Array.from({ length: 20 }, (_, index) => message(body, { key: `k${index}`, headers }))
    confirmed(await publisher.publish(messages))
    const got = await readTopic(t, topic, 20)
    for (const [index, { message: read }] of got.entries()) {
      assert.deepEqual(read.body && Buffer.from(read.body), body)
      assert.deepEqual([read.key, read.headers], [`k${index}`, headers])
    }
    const sizeBytes = await logSize(topic)
    assert.ok(sizeBytes > 0n && sizeBytes < BigInt(20 * body.byteLength) / 5n, `${sizeBytes} bytes`)
  })
}

/** What a topic takes of the broker's disk, bytes. */
async function logSize(topic: string): Promise<bigint> {
  const logs = await withAdmin((admin) =>
    admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] }),
  )
  const partitions = logs
    .flatMap(({ results }) => results)
    .flatMap(({ topics }) => topics)
    .flatMap((each) => each.partitions)
  return partitions.reduce((sum, { partitionSize }) => sum + partitionSize, 0n)
}

test('a partitioner of the caller’s own decides, and one that throws or points nowhere fails its message alone', async (t) => {
  const topic = await newTopic(3)
  const publisher = publisherOf(t, topic, {
    partitioner(key, partitions) {
      const text = Buffer.from(key).toString()
      if (text === 'throws') throw new Error('no idea')
      return text === 'nowhere' ? partitions : Number(text)
    },
  })
  const keys = ['2', 'throws', '0', 'nowhere', '1']
  const results = await publisher.publish(keys.map((key) => message('x', { key })))
  assert.deepEqual(
    results.map((result) => (result.ok ? result.partition : result.error.message)),
    [2, 'the partitioner failed: no idea', 0, `partition 3 of topic ${topic} does not exist: it has 3`, 1],
  )
})

for (const idempotent of [true, false]) {
  test(`a batch whose answer is lost is sent again, and ${idempotent ? 'stands there once' : 'stands there twice where it is not idempotent'}`, async (t) => {
    const topic = await newTopic()
    const proxy = await proxyOf(t)
    const publisher = publisherOf(t, topic, { brokers: proxy.address, idempotent })
    confirmed(await publisher.publish([message('before')]))
    // The broker gets everything, and nobody hears that it has.
    proxy.stall('toClient')
    const publishing = publisher.publish(numbered(10))
    await eventually(async () => assert.equal(await endOffset(topic), 11n))
    proxy.cut()
    await proxy.restore()
    const offsets = confirmed(await publishing).map(({ offset }) => offset)
    const first = idempotent ? 1n : 11n
    assert.deepEqual(
      offsets,
      Array.from({ length: 10 }, (_, index) => first + BigInt(index)),
    )
    const [after] = confirmed(await publisher.publish([message('after')]))
    assert.equal(after?.offset, first + 10n)
    assert.equal(await endOffset(topic), first + 11n)
  })
}

test('a batch that one message’s time is up for goes on under another number: the rest is not lost', async (t) => {
  const topic = await newTopic()
  const proxy = await proxyOf(t)
  const publisher = publisherOf(t, topic, { brokers: proxy.address, timeoutMs: 1500 })
  confirmed(await publisher.publish([message('before')]))
  proxy.stall('toClient')
  const [early] = await publisher.publish([message('early')])
  assert.equal(early?.ok, false)
  const publishing = publisher.publish(numbered(3))
  proxy.cut()
  await proxy.restore()
  confirmed(await publishing)
  const got = await readTopic(t, topic, 5)
  assert.deepEqual(got.map(textOfBody), ['before', 'early', '0', '1', '2'])
})

async function endOffset(topic: string): Promise<bigint> {
  const partitions = [{ partitionIndex: 0, timestamp: ListOffsetTimestamps.LATEST }]
  const [found] = await withAdmin((admin) => admin.listOffsets({ topics: [{ name: topic, partitions }] }))
  return found?.partitions[0]?.offset ?? -1n
}
