import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import type { TcpProxy } from '@throughline/testkit'
import {
  ACCEPT,
  newGroup,
  newTopic,
  numbered,
  proxyOf,
  publisherOf,
  subscriberOf,
  take,
  textOfBody,
} from './support.ts'

for (const [how, breakIt] of [
  ['is refused', (proxy: TcpProxy) => proxy.refuse()],
  ['hangs', async (proxy: TcpProxy) => proxy.stall()],
] as const) {
  test(`reading throws when the broker ${how}, and goes on when it is called again`, async (t) => {
    const topic = await newTopic()
    const proxy = await proxyOf(t)
    const times = { lostAfterMs: 500, sessionTimeoutMs: 2000 }
    const options = { topics: [topic], group: newGroup(), ...times }
    const subscriber = subscriberOf(t, options, proxy.address, 1000)
    await publisherOf(t, topic).publish(numbered(5))
    const held = await take(subscriber, 5)
    await breakIt(proxy)
    await assert.rejects(take(subscriber, 1), (error) => {
      return error instanceof UnavailableError && error.message.includes(proxy.address)
    })
    assert.ok(held.every(({ signal }) => signal?.aborted))
    await assert.rejects(subscriber.open(), UnavailableError)
    await proxy.restore()
    // Of an earlier connection: it counts for nothing.
    await subscriber.settle(held, ACCEPT)
    const again = await take(subscriber, 5)
    assert.deepEqual(again.map(textOfBody), ['0', '1', '2', '3', '4'])
  })
}

test('close does not wait for a broker that hangs', async (t) => {
  const topic = await newTopic()
  const proxy = await proxyOf(t)
  const subscriber = subscriberOf(t, { topics: [topic], group: newGroup() }, proxy.address)
  await publisherOf(t, topic).publish(numbered(1))
  const held = await take(subscriber, 1)
  proxy.stall()
  await subscriber.settle(held, ACCEPT)
  await subscriber.close()
})
