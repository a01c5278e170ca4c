import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Delivery,
  type Message,
  PermanentError,
  type Subscriber,
  UnavailableError,
} from '@throughline/core'
import { eventually, memoryTransport } from '@throughline/testkit'

const text = (value: string, key?: string): Message => ({
  body: new TextEncoder().encode(value),
  headers: [['n', value]],
  ...(key === undefined ? {} : { key }),
})
const bodyOf = ({ message }: Delivery) => new TextDecoder().decode(message.body ?? new Uint8Array())

/** Reads in the background, so that a test can look at what has arrived and what has not. */
function collect(subscriber: Subscriber, signal?: AbortSignal) {
  const arrived: Delivery[] = []
  const ended = (async () => {
    for await (const batch of subscriber.deliveries(signal)) arrived.push(...batch)
  })()
  ended.catch(() => {})
  return { arrived, ended, bodies: () => arrived.map(bodyOf) }
}

/** Enough turns of the event loop for everything that is not held back to arrive. */
async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('a message arrives as it was sent, with offset and key', async () => {
  const memory = memoryTransport()
  const sent: Message = {
    body: new Uint8Array([0, 255]),
    headers: [
      ['a', '1'],
      ['a', new Uint8Array([200])],
    ],
    contentType: 'x/y',
    key: 'k',
  }
  const results = await memory.publisher({ destination: 'orders' }).publish([sent, text('other')])
  assert.deepEqual(results, [
    { ok: true, offset: 0n },
    { ok: true, offset: 1n },
  ])
  const subscriber = memory.subscriber({ destinations: ['orders'] })
  const reader = collect(subscriber)
  await eventually(() => assert.equal(reader.arrived.length, 2))
  const [first] = reader.arrived
  assert.deepEqual(first?.message, sent)
  assert.equal(first?.orderKey, 'k')
  assert.equal(first?.position.offset, 0n)
  await subscriber.close()
  await reader.ended
})

test('a window of unsettled deliveries stops the reading', async () => {
  const memory = memoryTransport()
  await memory.publisher({ destination: 'd' }).publish(['1', '2', '3'].map((value) => text(value)))
  const subscriber = memory.subscriber({ destinations: ['d'], window: 2 })
  const reader = collect(subscriber)
  await turn()
  assert.deepEqual(reader.bodies(), ['1', '2'])
  await subscriber.settle(reader.arrived.slice(1), { outcome: 'accept' })
  await eventually(() => assert.deepEqual(reader.bodies(), ['1', '2', '3']))
  await subscriber.close()
})

test('what is unsettled at a lost connection is delivered again; settling it for the old one does nothing', async () => {
  const memory = memoryTransport()
  await memory.publisher({ destination: 'd' }).publish([text('1'), text('2')])
  const subscriber = memory.subscriber({ destinations: ['d'] })
  const first = collect(subscriber)
  await eventually(() => assert.equal(first.arrived.length, 2))
  const [one, two] = first.arrived
  assert.ok(one && two)
  await subscriber.settle([one, one], { outcome: 'accept' })
  memory.disconnect()
  await assert.rejects(first.ended, UnavailableError)
  assert.equal(two.signal?.aborted, true)
  await subscriber.settle([two], { outcome: 'accept' })

  const second = collect(subscriber)
  await eventually(() => assert.deepEqual(second.bodies(), ['2']))
  assert.equal(second.arrived[0]?.redelivered, true)
  await subscriber.settle(second.arrived, { outcome: 'accept' })
  assert.equal(memory.unsettled(), 0)
  await subscriber.close()
})

test('a released message comes again after its delay, and what follows of its key waits for it', async () => {
  const memory = memoryTransport({ countsDeliveries: true })
  const publisher = memory.publisher({ destination: 'd' })
  await publisher.publish([text('a1', 'a')])
  const subscriber = memory.subscriber({ destinations: ['d'] })
  const reader = collect(subscriber)
  await eventually(() => assert.equal(reader.arrived.length, 1))
  await subscriber.settle(reader.arrived, { outcome: 'release', delayMs: 30 })
  await publisher.publish([text('a2', 'a'), text('b1', 'b')])
  await turn()
  assert.deepEqual(reader.bodies(), ['a1', 'b1'])
  await eventually(() => assert.deepEqual(reader.bodies(), ['a1', 'b1', 'a1', 'a2']))
  assert.deepEqual(
    reader.arrived.map(({ attempt }) => attempt),
    [1, 1, 2, 1],
  )
  await subscriber.close()
})

test('a group shares messages without breaking the order of a key; another group gets them all', async () => {
  const memory = memoryTransport()
  const one = memory.subscriber({ destinations: ['d'], group: 'g' })
  const two = memory.subscriber({ destinations: ['d'], group: 'g' })
  const other = memory.subscriber({ destinations: ['d'], group: 'other' })
  const publisher = memory.publisher({ destination: 'd' })
  const first = collect(one)
  await publisher.publish([text('a1', 'a')])
  await eventually(() => assert.deepEqual(first.bodies(), ['a1']))
  await one.close()
  const second = collect(two)
  const all = collect(other)
  await publisher.publish([text('a2', 'a')])
  await eventually(() =>
    assert.deepEqual(
      [second.bodies(), all.bodies()],
      [
        ['a1', 'a2'],
        ['a1', 'a2'],
      ],
    ),
  )
  await Promise.all([two.close(), other.close()])
})

test('publishing can fail, a few times, with the error given, for each message by itself', async () => {
  const memory = memoryTransport()
  const error = new PermanentError('no')
  memory.failNext(1, error)
  const results = await memory.publisher({ destination: 'd' }).publish([text('1'), text('2')])
  assert.deepEqual(results, [
    { ok: false, error },
    { ok: true, offset: 0n },
  ])
  assert.equal(memory.messages('d').length, 1)
})

test('a confirmation that is lost answers UnavailableError although the message is stored', async () => {
  const memory = memoryTransport()
  memory.stall()
  const lost = memory.publisher({ destination: 'd' }).publish([text('1')])
  memory.disconnect()
  const [result] = await lost
  assert.ok(result && !result.ok && result.error instanceof UnavailableError)
  assert.equal(memory.messages('d').length, 1)

  const held = memory.publisher({ destination: 'd' }).publish([text('2')])
  memory.restore()
  assert.deepEqual(await held, [{ ok: true, offset: 1n }])
})

test('an unreachable broker refuses subscribers and publishers until it is back', async () => {
  const memory = memoryTransport()
  memory.refuse()
  const subscriber = memory.subscriber({ destinations: ['d'] })
  await assert.rejects(subscriber.open(), UnavailableError)
  await assert.rejects(collect(subscriber).ended, UnavailableError)
  const [result] = await memory.publisher({ destination: 'd' }).publish([text('1')])
  assert.equal(result?.ok, false)
  memory.restore()
  await subscriber.open()
  await subscriber.close()
})

test('a rejected message is done and remembered', async () => {
  const memory = memoryTransport()
  await memory.publisher({ destination: 'd' }).publish([text('1')])
  const subscriber = memory.subscriber({ destinations: ['d'] })
  const reader = collect(subscriber)
  await eventually(() => assert.equal(reader.arrived.length, 1))
  const reason = new Error('bad')
  await subscriber.settle(reader.arrived, { outcome: 'reject', reason, deadLettered: true })
  assert.equal(memory.unsettled(), 0)
  assert.deepEqual(memory.rejections(), [{ delivery: reader.arrived[0], reason, deadLettered: true }])
  await subscriber.close()
})

test('an aborted reader ends, and what it has may still be settled', async () => {
  const memory = memoryTransport()
  await memory.publisher({ destination: 'd' }).publish([text('1')])
  const subscriber = memory.subscriber({ destinations: ['d'] })
  const stop = new AbortController()
  const reader = collect(subscriber, stop.signal)
  await eventually(() => assert.equal(reader.arrived.length, 1))
  stop.abort()
  await reader.ended
  await subscriber.settle(reader.arrived, { outcome: 'accept' })
  assert.equal(memory.unsettled(), 0)
  await subscriber.close()
})
