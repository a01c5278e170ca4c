import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CloudEvent, type Delivery, PermanentError, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { CANCELLED_CODE, NOT_FOUND_CODE } from '../src/errors.ts'
import { rabbitmq } from '../src/index.ts'
import { rabbitmqTransport } from '../src/transport.ts'
import {
  ACCEPT,
  amqpUrl,
  failures,
  message,
  numbered,
  proxied,
  publisherOf,
  queueOf,
  REJECT,
  stranger,
  subscriberOf,
  take,
  textOf,
  unique,
} from './support.ts'

const delivered = (deliveries: readonly Delivery[]) => deliveries.map(textOf)
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))

/** A queue with numbered messages in it. */
async function filled(t: Parameters<typeof publisherOf>[0], count: number, queueOptions = {}) {
  const { queue, declare } = queueOf(queueOptions)
  const publisher = publisherOf(t, { routingKey: queue, declare })
  await publisher.open()
  assert.deepEqual(failures(await publisher.publish(numbered(count))), [])
  return { queue, declare, publisher }
}

async function left(t: Parameters<typeof stranger>[0], queue: string): Promise<number> {
  return (await stranger(t).queueDeclare({ queue, passive: true })).messageCount
}

test('the window is kept, and settling makes room', async (t) => {
  const { queue } = await filled(t, 50)
  const subscriber = subscriberOf(t, { queue, window: 10 })
  const held: Delivery[] = []
  for await (const deliveries of subscriber.deliveries()) {
    held.push(...deliveries)
    if (held.length === 10) break
  }
  await eventually(async () => assert.equal(await left(t, queue), 40))
  await subscriber.settle(held.slice(0, 4), ACCEPT)
  assert.deepEqual(delivered(await take(subscriber, 4, null)), numbers(4, 10))
})

test('deliveries are settled late, in any order and twice', async (t) => {
  const { queue } = await filled(t, 20)
  const subscriber = subscriberOf(t, { queue })
  const held = await take(subscriber, 20, null)
  await subscriber.settle(held.slice(10).toReversed(), ACCEPT)
  await subscriber.settle(held.slice(5), ACCEPT)
  await subscriber.settle(held.slice(5), REJECT)
  await subscriber.close()
  await subscriber.settle(held, ACCEPT)
  assert.equal(await left(t, queue), 5)
  const again = await take(subscriberOf(t, { queue }), 5)
  assert.deepEqual(delivered(again), numbers(5))
  assert.ok(again.every(({ redelivered }) => redelivered))
})

test('what is released comes again when the subscriber is closed, not before', async (t) => {
  const { queue } = await filled(t, 3)
  const subscriber = subscriberOf(t, { queue })
  const held = await take(subscriber, 3, null)
  await subscriber.settle(held, { outcome: 'release', delayMs: 0 })
  assert.equal(await left(t, queue), 0)
  await subscriber.close()
  assert.ok(held.every(({ signal }) => signal?.aborted))
  assert.deepEqual(delivered(await take(subscriberOf(t, { queue }), 3)), numbers(3))
})

test('what is rejected is gone, or goes to the dead letter exchange of the broker where that was asked for', async (t) => {
  for (const rejected of ['drop', 'broker'] as const) {
    const dead = queueOf()
    const { queue, declare } = queueOf({
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead.queue },
    })
    const queues = [...dead.declare.queues, ...declare.queues]
    await publisherOf(t, { routingKey: queue, declare: { queues } }).publish(numbered(3))
    const subscriber = subscriberOf(t, { queue, rejected })
    const [first, second, third] = await take(subscriber, 3, null)
    assert.ok(first && second && third)
    await subscriber.settle([first], REJECT)
    // Published elsewhere by us: once is enough.
    await subscriber.settle([second], { outcome: 'reject', reason: new Error('no'), deadLettered: true })
    await subscriber.settle([third], ACCEPT)
    await subscriber.close()
    assert.equal(await left(t, queue), 0)
    assert.equal(await left(t, dead.queue), rejected === 'broker' ? 1 : 0)
    if (rejected === 'drop') continue
    const [letter] = await take(subscriberOf(t, { queue: dead.queue }), 1)
    assert.ok(letter?.message.headers.some(([name]) => name === 'x-death'))
  }
})

test('a quorum queue counts deliveries, also those of consumers that are gone', async (t) => {
  const { queue } = await filled(t, 1, { type: 'quorum' })
  for (const attempt of [1, 2, 3]) {
    const subscriber = subscriberOf(t, { queue })
    const [delivery] = await take(subscriber, 1, attempt < 3 ? null : ACCEPT)
    assert.equal(delivery?.attempt, attempt)
    assert.equal(delivery.redelivered, attempt > 1)
    assert.deepEqual(delivery.message.headers, [])
    await subscriber.close()
  }
})

test('a stream is read from its start, an offset, a time, and read by many', async (t) => {
  const { queue, publisher } = await filled(t, 10, { type: 'stream' })
  const from = async (offset: 'first' | number | bigint | Date, count: number) => {
    const taken = await take(subscriberOf(t, { queue, offset }), count)
    return taken.map((each) => [textOf(each), each.position.offset])
  }
  const all = numbers(10).map((text) => [text, BigInt(text)])
  assert.deepEqual(await from('first', 10), all)
  assert.deepEqual(await from(7, 3), all.slice(7))
  assert.deepEqual(await from(8n, 2), all.slice(8))
  assert.deepEqual(await from(new Date(Date.now() - 3_600_000), 10), all)
  const next = subscriberOf(t, { queue })
  await next.open()
  await publisher.publish([message('new')])
  assert.deepEqual(delivered(await take(next, 1)), ['new'])
})

test('a stream is read on behind what was settled after the connection was lost', async (t) => {
  const proxy = await proxied(t)
  const { queue } = await filled(t, 30, { type: 'stream' })
  const subscriber = subscriberOf(t, { queue, offset: 'first', window: 5 }, { url: proxy.url })
  const held: Delivery[] = await take(subscriber, 5, null)
  await subscriber.settle(held.slice(0, 2), ACCEPT)
  await subscriber.settle(held.slice(3), ACCEPT)
  proxy.cut()
  await eventually(() => assert.ok(held.every(({ signal }) => signal?.aborted)))
  assert.deepEqual(delivered(await take(subscriber, 28)), numbers(28, 2))
  proxy.cut()
  await subscriber.close()
})

test('a stream read from now on misses nothing while the connection is away, also where nothing had come yet', async (t) => {
  const proxy = await proxied(t)
  const { queue, publisher } = await filled(t, 0, { type: 'stream' })
  const subscriber = subscriberOf(t, { queue, offset: 'next' }, { url: proxy.url })
  await subscriber.open()
  const lost = assert.rejects(take(subscriber, 1), UnavailableError)
  await proxy.refuse()
  await lost
  assert.deepEqual(failures(await publisher.publish([message('meanwhile')])), [])
  await proxy.restore()
  assert.deepEqual(delivered(await take(subscriber, 1)), ['meanwhile'])
})

test('order is kept by routing key, and not at all where that was asked for', async (t) => {
  const [exchange, queue] = [unique('exchange'), unique('queue')]
  const declare = {
    exchanges: [{ name: exchange }],
    queues: [{ name: queue }],
    bindings: [{ exchange, queue, routingKey: 'sensors.#' }],
  }
  const publisher = publisherOf(t, { exchange, declare })
  await publisher.publish([message('x', { destination: 'sensors.7' })])
  const ordered = subscriberOf(t, { queue, declare })
  const [delivery] = await take(ordered, 1)
  assert.equal(delivery?.orderKey, 'sensors.7')
  assert.deepEqual(delivery?.position, {
    destination: `${exchange}:sensors.7:${queue}`,
    pattern: `${exchange}:sensors.#:${queue}`,
  })
  await ordered.close()
  await publisher.publish([message('x', { destination: 'sensors.7' })])
  const [free] = await take(subscriberOf(t, { queue, ordered: false }), 1)
  assert.equal(free?.orderKey, undefined)
  assert.deepEqual(free?.position, { destination: `${exchange}:sensors.7:${queue}` })
})

test('deliveries and publishers say what OpenTelemetry wants of them', async (t) => {
  const { queue, declare } = queueOf()
  const transport = rabbitmqTransport({ url: amqpUrl(), connectionName: 'till' })
  const publisher = transport.publisher({ routingKey: queue, declare })
  const subscriber = transport.subscriber({ queue })
  t.after(() => Promise.all([publisher.close(), subscriber.close()]))
  await publisher.publish([message('x')])
  const [delivery] = await take(subscriber, 1)
  assert.ok(delivery)
  const key = { 'messaging.rabbitmq.destination.routing_key': queue }
  assert.deepEqual(transport.attributes.delivered(delivery), {
    ...key,
    'messaging.rabbitmq.message.delivery_tag': 1,
  })
  assert.deepEqual(transport.attributes.sent(message('x'), queue), key)
  const elsewhere = message('x', { destination: 'logs:warning' })
  assert.deepEqual(transport.attributes.sent(elsewhere, 'logs:warning'), {
    'messaging.rabbitmq.destination.routing_key': 'warning',
  })
  const { hostname, port } = new URL(amqpUrl())
  assert.deepEqual(transport.attributes.connection, {
    'server.address': hostname,
    'server.port': Number(port || 5672),
    'messaging.client.id': 'till',
  })
})

test('a queue that is not there is a permanent error with its name', async (t) => {
  const queue = unique('missing')
  await assert.rejects(subscriberOf(t, { queue }).open(), (error) => {
    assert.ok(error instanceof PermanentError && error.code === NOT_FOUND_CODE, String(error))
    return error.message.includes(queue)
  })
})

test('a queue that is deleted ends reading with an error, and is declared again on the next connection', async (t) => {
  const { queue, declare, publisher } = await filled(t, 1)
  const subscriber = subscriberOf(t, { queue, declare })
  const [held] = await take(subscriber, 1, null)
  await stranger(t).queueDelete({ queue })
  await assert.rejects(
    take(subscriber, 1),
    (error) => error instanceof UnavailableError && error.code === CANCELLED_CODE,
  )
  assert.ok(held)
  await subscriber.settle([held], ACCEPT)
  await subscriber.open()
  await publisher.publish([message('again')])
  assert.deepEqual(delivered(await take(subscriber, 1)), ['again'])
})

test('one that is alone in reading a queue is waited for', async (t) => {
  const { queue } = await filled(t, 1)
  const alone = subscriberOf(t, { queue, exclusive: true })
  await alone.open()
  const other = subscriberOf(t, { queue })
  await assert.rejects(other.open(), UnavailableError)
  await alone.close()
  await eventually(() => other.open())
})

test('a subscriber that failed leaves the others of its connection alone', async (t) => {
  const { queue, publisher } = await filled(t, 0)
  const transport = rabbitmqTransport({ url: amqpUrl() })
  const good = transport.subscriber({ queue })
  const bad = transport.subscriber({ queue: unique('missing') })
  t.after(() => Promise.all([good.close(), bad.close()]))
  await good.open()
  await assert.rejects(bad.open(), PermanentError)
  await bad.close()
  await publisher.publish([message('x')])
  assert.deepEqual(delivered(await take(good, 1)), ['x'])
})

test('events in both modes reach a handler as they were published, and bad ones are given up', async (t) => {
  const { queue, declare } = queueOf()
  const broker = rabbitmq({ url: amqpUrl() })
  t.after(() => broker.close())
  const seen: CloudEvent[] = []
  const problems: string[] = []
  const subscription = await broker.subscribe(
    { queue, declare, onExhausted: 'drop', onProblem: ({ kind }) => problems.push(kind) },
    (event) => void seen.push(event),
  )
  const publisher = broker.publisher({ routingKey: queue })
  const event = { id: '1', source: '/till', type: 'com.example.payment', data: { amount: 5 } }
  await publisher.publish(event)
  await publisher.publish({ ...event, id: '2' }, { mode: 'structured' })
  await publisher.publish({ body: 'no event', headers: {} })
  await eventually(() => assert.ok(problems.includes('dropped') && seen.length === 2, problems.join()))
  assert.deepEqual(seen, [
    { specversion: '1.0', ...event, datacontenttype: 'application/json' },
    { specversion: '1.0', ...event, id: '2' },
  ])
  await subscription.close()
  assert.equal(await left(t, queue), 0)
})

test('closing a subscription with handlers in flight leaves what they have not finished', async (t) => {
  const { queue } = await filled(t, 20)
  const broker = rabbitmq({ url: amqpUrl() })
  t.after(() => broker.close())
  const begun = Promise.withResolvers<void>()
  let handled = 0
  const subscription = await broker.subscribe(
    { queue, raw: true, ordered: false, concurrency: 10 },
    async () => {
      if (++handled > 5) {
        begun.resolve()
        await new Promise(() => {})
      }
    },
  )
  await begun.promise
  await subscription.close({ graceMs: 100 })
  assert.equal(await left(t, queue), 15)
})
