import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliveryOf } from '../src/delivery.ts'

const source = { queue: 'orders', topology: {}, ordered: true }

function deliveryWith(headers: Readonly<Record<string, unknown>>) {
  const method = { consumerTag: 'c', deliveryTag: 7, redelivered: false, exchange: '', routingKey: 'orders' }
  const body = Buffer.from('x')
  return deliveryOf({ ...method, durable: true, headers, body }, source, new AbortController().signal)
}

test("the broker's count of deliveries and its offset are the attempt and the position", () => {
  const { attempt, position } = deliveryWith({ 'x-delivery-count': 2, 'x-stream-offset': 12 })
  assert.equal(attempt, 3)
  assert.deepEqual(position, { destination: 'orders', offset: 12n })
})

for (const value of [1.5, -1, Number.NaN, 1e300, '12', true, null]) {
  test(`whoever writes ${String(value)} in their place ends no reading`, () => {
    const { attempt, position } = deliveryWith({ 'x-delivery-count': value, 'x-stream-offset': value })
    assert.equal(attempt, 1)
    assert.deepEqual(position, { destination: 'orders' })
  })
}
