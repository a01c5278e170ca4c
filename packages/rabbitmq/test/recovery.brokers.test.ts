import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { rabbitmq } from '../src/index.ts'
import { type OwnBroker, startBroker } from './broker.ts'
import {
  ACCEPT,
  failures,
  message,
  numbered,
  proxied,
  publisherOf,
  queueOf,
  subscriberOf,
  take,
  textOf,
} from './support.ts'

let own: OwnBroker
before(async () => {
  own = await startBroker()
})
after(() => own?.stop())

test('2,000 messages arrive while the connection is cut again and again; what was accepted does not come again', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  assert.deepEqual(failures(await publisher.publish(numbered(2000))), [])
  const window = 64
  const subscriber = subscriberOf(t, { queue, window }, { url: proxy.url })
  const times = new Map<string, number>()
  let cuts = 0
  while (times.size < 2000) {
    try {
      for await (const deliveries of subscriber.deliveries(AbortSignal.timeout(60_000))) {
        for (const each of deliveries) times.set(textOf(each), (times.get(textOf(each)) ?? 0) + 1)
        await subscriber.settle(deliveries, ACCEPT)
        if (times.size > 300 * (cuts + 1) && cuts < 5) {
          cuts++
          proxy.cut()
        }
        if (times.size === 2000) break
      }
    } catch (error) {
      assert.ok(error instanceof UnavailableError, String(error))
    }
  }
  assert.equal(cuts, 5)
  const again = [...times.values()].filter((count) => count > 1).length
  assert.ok(again <= cuts * window, `${again} came again, at most ${cuts} windows were in flight`)
})

for (const [how, stop] of [
  ['restarted', () => own.restart()],
  ['killed and started', () => own.kill()],
] as const) {
  test(`nothing that was confirmed is lost while the broker is ${how} in mid-stream`, {
    timeout: 120_000,
  }, async (t) => {
    const queues = (['classic', 'quorum'] as const).map((type) => queueOf({ type }))
    await settledByRestart(queues)
    const broker = rabbitmq({ url: own.url })
    t.after(() => broker.close())
    const lines = await Promise.all(queues.map((queue) => startLine(broker, queue, t.signal)))
    await Promise.all(lines.map(({ publishUntil }) => publishUntil(200)))
    await Promise.all([stop(), ...lines.map(({ publishUntil }) => publishUntil(1000))])
    for (const { disconnected, missing } of lines) {
      await disconnected
      await eventually(() => assert.deepEqual(missing().slice(0, 5), []), { timeoutMs: 60_000 })
    }
  })
}

/**
 * Declares the queues and ends the broker in good order. RabbitMQ 3.10 writes down which quorum queues a node has some
 * time after it has declared them: killed before that, it starts again with a queue that never finds its leader, takes
 * no message and gives none.
 */
async function settledByRestart(queues: readonly ReturnType<typeof queueOf>[]): Promise<void> {
  const broker = rabbitmq({ url: own.url })
  for (const { queue, declare } of queues) await broker.publisher({ routingKey: queue, declare }).open()
  await broker.close()
  await own.restart()
}

/** A queue that is read all the time, and a publisher that notes what was confirmed. */
async function startLine(
  broker: ReturnType<typeof rabbitmq>,
  { queue, declare }: ReturnType<typeof queueOf>,
  signal: AbortSignal,
) {
  const publisher = broker.publisher({ routingKey: queue, declare, timeoutMs: 5000 })
  const confirmed: string[] = []
  const seen = new Set<string>()
  const disconnected = Promise.withResolvers<void>()
  await broker.subscribe(
    { queue, declare, raw: true, onProblem: ({ kind }) => kind === 'disconnected' && disconnected.resolve() },
    ({ body }) => void seen.add(Buffer.from(body ?? []).toString()),
  )

  /** One after the other, as a service does, until so many are confirmed. */
  async function publishUntil(count: number): Promise<void> {
    for (let next = 0; confirmed.length < count; next++) {
      signal.throwIfAborted()
      const body = `${count}-${next}`
      const [result] = await publisher.publishMessages([message(body)])
      if (result?.ok) confirmed.push(body)
      else assert.ok(result?.error instanceof UnavailableError, String(result?.error))
    }
  }

  const missing = () => confirmed.filter((body) => !seen.has(body))
  return { publishUntil, disconnected: disconnected.promise, missing }
}

test('a connection that hangs is given up after the heartbeats, and nothing is lost', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const subscriber = subscriberOf(t, { queue, declare }, { url: proxy.url, heartbeatSeconds: 1 })
  await subscriber.open()
  proxy.stall()
  await publisher.publish(numbered(3))
  await assert.rejects(take(subscriber, 1), UnavailableError)
  await proxy.restore()
  assert.deepEqual((await take(subscriber, 3)).map(textOf), ['0', '1', '2'])
})

test('closing ends in time on a connection that hangs, and gives back what was not settled', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  await publisherOf(t, { routingKey: queue, declare }).publish(numbered(3))
  const subscriber = subscriberOf(t, { queue }, { url: proxy.url })
  const held = await take(subscriber, 3, null)
  const waiting = take(subscriber, 1, null)
  proxy.stall()
  await Promise.all([subscriber.close(), subscriber.close()])
  assert.deepEqual(await waiting, [])
  assert.ok(held.every(({ signal }) => signal?.aborted))
  await subscriber.settle(held, ACCEPT)
  proxy.cut()
  assert.equal((await take(subscriberOf(t, { queue }), 3)).length, 3)
})

test('closing ends while the broker is away, and while it is being connected to', async (t) => {
  const proxy = await proxied(t)
  const { queue, declare } = queueOf()
  const subscriber = subscriberOf(t, { queue, declare }, { url: proxy.url })
  await subscriber.open()
  await proxy.refuse()
  await subscriber.close()
  await proxy.restore()
  proxy.stall()
  const hanging = subscriberOf(t, { queue }, { url: proxy.url })
  const opening = assert.rejects(hanging.open())
  await eventually(() => assert.ok(proxy.connections > 0))
  await hanging.close()
  await opening
  await assert.rejects(hanging.open(), /the subscriber is closed/)
})

test('reading ends at once when its signal is aborted, and can be begun again', async (t) => {
  const { queue, declare } = queueOf()
  const publisher = publisherOf(t, { routingKey: queue, declare })
  const subscriber = subscriberOf(t, { queue, declare })
  await subscriber.open()
  const stop = new AbortController()
  const reading = (async () => {
    for await (const deliveries of subscriber.deliveries(stop.signal)) assert.fail(String(deliveries.length))
  })()
  stop.abort()
  await reading
  await publisher.publish(numbered(1))
  assert.deepEqual((await take(subscriber, 1)).map(textOf), ['0'])
})
