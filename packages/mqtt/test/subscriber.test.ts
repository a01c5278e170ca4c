import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { mqttTransport } from '../src/transport.ts'
import { connack, packet, publish } from './scripted-broker.ts'
import { ACCEPT, broker, reading, subscriber } from './scripted-reading.ts'

test('a delivery says where it was, which filter got it there, and what MQTT knows of it', async (t) => {
  const scripted = await broker(t)
  const transport = mqttTransport({ url: scripted.url, clientId: 'edge' })
  const made = transport.subscriber({ topics: ['plain', 'sensors/+/reading'] })
  t.after(() => made.close())
  scripted.on('subscribe', ({ rest }) =>
    packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 1, 1])),
  )
  const { deliveries } = reading(made)
  await eventually(() => assert.ok(scripted.received.some(({ name }) => name === 'subscribe')))
  scripted.send(publish('sensors/7/reading', 'x', 1, 9, true), publish('plain', '', 0))
  await eventually(() => assert.equal(deliveries.length, 2))
  const [first, second] = deliveries
  assert.ok(first && second)
  assert.deepEqual(first.position, { destination: 'sensors/7/reading', pattern: 'sensors/+/reading' })
  assert.deepEqual(second.position, { destination: 'plain' })
  assert.deepEqual([first.orderKey, first.attempt, first.redelivered], ['sensors/7/reading', 1, true])
  assert.equal(second.redelivered, false)
  assert.deepEqual(transport.attributes.delivered({ ...first }), {
    'messaging.mqtt.qos': 1,
    'messaging.mqtt.retain': false,
    'messaging.mqtt.packet_id': 9,
  })
  assert.deepEqual(transport.attributes.delivered(second), {
    'messaging.mqtt.qos': 0,
    'messaging.mqtt.retain': false,
  })
  assert.equal(made.attributes['messaging.client.id'], 'edge-sub')
})

test('a copy of a delivery settles it, once', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { deliveries } = reading(made)
  await made.open()
  scripted.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(deliveries.length, 1))
  const copies = deliveries.map((delivery) => ({ ...delivery, attempt: 2 }))
  await made.settle(copies, ACCEPT)
  await made.settle(deliveries, ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('what is rejected is acknowledged, what is released is not', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { deliveries } = reading(made)
  await made.open()
  scripted.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
  await eventually(() => assert.equal(deliveries.length, 2))
  await made.settle(deliveries.slice(0, 1), { outcome: 'reject', reason: new Error(), deadLettered: true })
  await made.settle(deliveries.slice(1), { outcome: 'release', delayMs: 0 })
  await made.settle(deliveries.slice(1), ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('a resumed session that delivers right behind CONNACK loses nothing', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => Buffer.concat([connack(0), publish('a', '1', 1, 1), publish('a', '2', 1, 2)]))
  const { deliveries } = reading(subscriber(t, scripted))
  await eventually(() =>
    assert.deepEqual(
      deliveries.map(({ message }) => Buffer.from(message.body ?? []).toString()),
      ['1', '2'],
    ),
  )
})

test('a resumed session that fills the window in front of SUBACK is subscribed to', async (t) => {
  const scripted = await broker(t)
  const waiting = Array.from({ length: 8 }, (_, index) => publish('a', 'x', 1, index + 1))
  scripted.on('connect', () => Buffer.concat([connack(0), ...waiting]))
  const made = subscriber(t, scripted, { window: 4 })
  await made.open()
  const { deliveries } = reading(made)
  await eventually(() => assert.equal(deliveries.length, 4))
  await made.settle(deliveries, ACCEPT)
  await eventually(() => assert.equal(deliveries.length, 8))
})

test('CONNECT asks for the kept session, its expiry and the window', async (t) => {
  const scripted = await broker(t)
  await subscriber(t, scripted, { window: 300, sessionExpirySeconds: 7 }).open()
  const connected = scripted.received[0]?.rest
  assert.ok(connected)
  const cleanStart = (connected[7] ?? 0) & 2
  assert.equal(cleanStart, 0)
  assert.ok(connected.includes(Buffer.from([0x11, 0, 0, 0, 7])), 'session expiry 7 s')
  assert.ok(connected.includes(Buffer.from([0x21, 300 >> 8, 300 & 255])), 'receive maximum 300')
  assert.ok(connected.includes('edge-sub'))
})

test('clean starts each connection with an empty session that is not kept', async (t) => {
  const scripted = await broker(t)
  await subscriber(t, scripted, { clean: true }).open()
  const connected = scripted.received[0]?.rest
  assert.ok(connected)
  assert.equal((connected[7] ?? 0) & 2, 2)
  assert.ok(connected.includes(Buffer.from([0x11, 0, 0, 0, 0])))
})

test('a share subscribes to the shared filter and is the consumer group', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted, { topics: ['a/+'], share: 'workers' })
  await made.open()
  assert.ok(scripted.received.find(({ name }) => name === 'subscribe')?.rest.includes('$share/workers/a/+'))
  assert.equal(made.attributes['messaging.consumer.group.name'], 'workers')
})

test('a broker may send a number in place of a topic, at every QoS', async (t) => {
  const peer = await broker(t)
  const made = subscriber(t, peer, { qos: 2, topicAliasMaximum: 2 })
  const { deliveries } = reading(made)
  await made.open()
  // Topic Alias Maximum 2 in CONNECT.
  assert.ok(peer.received[0]?.rest.includes(Buffer.from([0x22, 0, 2])))
  const alias = (number: number) => [0x23, 0, number]
  peer.send(
    publish('a/b', '1', 1, 1, false, alias(1)),
    publish('', '2', 0, 0, false, alias(1)),
    publish('c', '3', 2, 2, false, alias(2)),
    publish('', '4', 2, 3, false, alias(1)),
    publish('d', '5', 0, 0, false, alias(1)),
    publish('', '6', 1, 4, false, alias(1)),
  )
  await eventually(() => assert.equal(deliveries.length, 6))
  const topics = deliveries.map(({ position, orderKey }) => [position.destination, orderKey])
  assert.deepEqual(
    topics,
    ['a/b', 'a/b', 'c', 'a/b', 'd', 'd'].map((topic) => [topic, topic]),
  )
})

test('a number that stands for no topic ends the connection, and nothing is handed out', async (t) => {
  const peer = await broker(t)
  const made = subscriber(t, peer, { topicAliasMaximum: 2 })
  await made.open()
  const { deliveries, ended } = reading(made)
  peer.send(publish('', '1', 1, 1, false, [0x23, 0, 1]))
  const error = await ended
  assert.ok(error instanceof UnavailableError && /Topic Alias/.test(error.message), String(error))
  assert.deepEqual(deliveries, [])
})

test('SUBSCRIBE asks for retained messages as it was told', async (t) => {
  const options = [
    [{}, 0x11],
    [{ retainHandling: 'always' }, 0x01],
    [{ retainHandling: 'never', retainAsPublished: true }, 0x29],
  ] as const
  for (const [settings, byte] of options) {
    const peer = await broker(t)
    await subscriber(t, peer, settings).open()
    assert.equal(peer.received.find(({ name }) => name === 'subscribe')?.rest.at(-1), byte)
  }
})
