import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Delivery, PermanentError } from '@throughline/core'
import { kafkaTransport } from '@throughline/kafka'

const { attributes, ...transport } = kafkaTransport({
  brokers: 'kafka.example:9093,other:1',
  clientId: 'orders',
})
const message = { body: null, headers: [], key: 'order-1' }
const delivery = (offset: bigint): Delivery => ({
  message,
  position: { destination: 'orders', partition: 3, offset, timestampMs: 1 },
  attempt: 1,
})

test('the connection is named by its first broker and client id', () => {
  assert.deepEqual(attributes.connection, {
    'server.address': 'kafka.example',
    'server.port': 9093,
    'messaging.client.id': 'orders',
  })
})

test('a message to be sent has its key and says that it is a tombstone', () => {
  assert.deepEqual(attributes.sent(message, 'orders'), {
    'messaging.kafka.message.key': 'order-1',
    'messaging.kafka.message.tombstone': true,
  })
  assert.deepEqual(
    attributes.sent({ body: new Uint8Array(), headers: [], key: Uint8Array.of(255) }, 'orders'),
    {},
  )
})

test('a confirmation has partition and offset, a failure nothing', () => {
  assert.deepEqual(attributes.confirmed({ ok: true, partition: 0, offset: 0n }), {
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': 0,
  })
  assert.deepEqual(attributes.confirmed({ ok: false, error: new PermanentError('no') }), {})
})

test('a delivery has partition, offset and key; an offset past 2^53 is text', () => {
  assert.deepEqual(attributes.delivered(delivery(17n)), {
    'messaging.destination.partition.id': '3',
    'messaging.kafka.offset': 17,
    'messaging.kafka.message.key': 'order-1',
    'messaging.kafka.message.tombstone': true,
  })
  const high = attributes.delivered(delivery(2n ** 53n + 1n))
  assert.equal(high['messaging.kafka.offset'], '9007199254740993')
})

test('a subscriber says which group it is of', () => {
  const subscriber = transport.subscriber({ topics: ['orders'], group: 'inventory' })
  assert.deepEqual(subscriber.attributes, { 'messaging.consumer.group.name': 'inventory' })
})
