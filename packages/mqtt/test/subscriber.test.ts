import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Delivery, PermanentError, type Subscriber, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import type { MqttOptions } from '../src/options.ts'
import type { MqttSubscriberOptions } from '../src/subscriber.ts'
import { mqttTransport } from '../src/transport.ts'
import {
  connack,
  disconnect,
  packet,
  publish,
  type ScriptedBroker,
  scriptedBroker,
} from './scripted-broker.ts'

async function broker(t: TestContext): Promise<ScriptedBroker> {
  const scripted = await scriptedBroker()
  t.after(() => scripted[Symbol.asyncDispose]())
  return scripted
}

function subscriber(
  t: TestContext,
  { url }: ScriptedBroker,
  settings: Partial<MqttSubscriberOptions> = {},
  options: Partial<MqttOptions> = {},
): Subscriber {
  const made = mqttTransport({ url, clientId: 'edge', ...options }).subscriber({ topics: ['#'], ...settings })
  t.after(() => made.close())
  return made
}

/** Reads on in the background; what it read, and how it ended. */
function reading(made: Subscriber, signal?: AbortSignal) {
  const deliveries: Delivery[] = []
  const read = async () => {
    for await (const arrived of made.deliveries(signal)) deliveries.push(...arrived)
  }
  const ended = read().then(
    () => 'ended',
    (error: unknown) => error,
  )
  return { deliveries, ended }
}

const ACCEPT = { outcome: 'accept' } as const

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

test('a SUBSCRIBE that is refused behind a full window ends the reading', async (t) => {
  const scripted = await broker(t)
  const waiting = [1, 2].map((id) => publish('a', 'x', 1, id))
  scripted.on('connect', () => Buffer.concat([connack(0), ...waiting]))
  scripted.on('subscribe', ({ rest }) =>
    packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 0x87])),
  )
  const made = subscriber(t, scripted, { window: 2 })
  await made.open()
  const { deliveries, ended } = reading(made)
  await eventually(() => assert.equal(deliveries.length, 2))
  await made.settle(deliveries, ACCEPT)
  const error = await ended
  assert.ok(error instanceof PermanentError && /Not authorized/.test(error.message))
})

test('a lost connection ends reading as unavailable, the next reading connects, and old deliveries settle nothing', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const before = reading(made)
  await made.open()
  scripted.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(before.deliveries.length, 1))
  scripted.cut()
  assert.ok((await before.ended) instanceof UnavailableError)
  assert.equal(before.deliveries[0]?.signal?.aborted, true)
  const after = reading(made)
  await made.open()
  await made.settle(before.deliveries, ACCEPT)
  scripted.send(publish('a', '1', 1, 1, true))
  await eventually(() => assert.equal(after.deliveries.length, 1))
  await made.settle(after.deliveries, ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('a session that was taken over is a permanent error, and is not fought for', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { ended } = reading(made)
  await made.open()
  scripted.send(disconnect(142))
  const check = (error: unknown) =>
    error instanceof PermanentError &&
    error.code === 'TL_SESSION_TAKEN_OVER' &&
    /"edge-sub" and took over the session/.test(error.message)
  assert.ok(check(await ended))
  await assert.rejects(() => made.open(), check)
  await assert.rejects(async () => {
    for await (const _ of made.deliveries());
  }, check)
  assert.equal(scripted.received.filter(({ name }) => name === 'connect').length, 1)
})

test('a broker that hangs up three times right after accepting has handed the session to another client', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const endings: unknown[] = []
  for (let round = 0; round < 3; round++) {
    await made.open()
    const { ended } = reading(made)
    scripted.hangUp()
    endings.push(await ended)
  }
  const [first, second, third] = endings
  assert.ok(first instanceof UnavailableError && second instanceof UnavailableError)
  assert.ok(third instanceof PermanentError)
  assert.equal(third.code, 'TL_SESSION_TAKEN_OVER')
  await assert.rejects(() => made.open(), third)
})

test('connections that break, or brokers that are away in between, are no rival', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  for (let round = 0; round < 8; round++) {
    await made.open()
    const { ended } = reading(made)
    if (round % 3 === 2) scripted.cut()
    else scripted.hangUp()
    assert.ok((await ended) instanceof UnavailableError)
  }
})

test('other reasons to disconnect are named and may pass', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { ended } = reading(made)
  await made.open()
  scripted.send(disconnect(139))
  const error = await ended
  assert.ok(error instanceof UnavailableError)
  assert.match(error.message, /Server shutting down \(139\)/)
})

test('a subscription that is refused is a permanent error naming filter and reason', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', ({ rest }) =>
    packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 1, 0x87])),
  )
  await assert.rejects(
    () => subscriber(t, scripted, { topics: ['a', 'secret/#'] }).open(),
    (error) =>
      error instanceof PermanentError && /"secret\/#" failed: Not authorized \(135\)/.test(error.message),
  )
})

test('a lower quality of service than asked is refused, because it could lose', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', ({ rest }) => packet('suback', 0, Buffer.from([rest[0] ?? 0, rest[1] ?? 0, 0, 0])))
  await assert.rejects(() => subscriber(t, scripted).open(), /grants QoS 0 for "#"/)
})

test('bad credentials are a permanent error naming them', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(134))
  await assert.rejects(
    () => subscriber(t, scripted).open(),
    (error) => error instanceof PermanentError && /Bad User Name or Password/.test(error.message),
  )
})

test('a broker that does not answer SUBSCRIBE is unavailable', async (t) => {
  const scripted = await broker(t)
  scripted.on('subscribe', () => null)
  await assert.rejects(() => subscriber(t, scripted, {}, { connectTimeoutMs: 100 }).open(), UnavailableError)
})

test('an aborted reading ends, and what it had is settled afterwards', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const abort = new AbortController()
  const { deliveries, ended } = reading(made, abort.signal)
  await made.open()
  scripted.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(deliveries.length, 1))
  abort.abort()
  assert.equal(await ended, 'ended')
  await made.settle(deliveries, ACCEPT)
  await made.close()
  assert.deepEqual(scripted.ids('puback'), [1])
})

test('a reading whose signal is aborted already connects to nothing', async (t) => {
  const scripted = await broker(t)
  assert.equal(await reading(subscriber(t, scripted), AbortSignal.abort()).ended, 'ended')
  assert.deepEqual(scripted.received, [])
})

test('close sends what is settled and then DISCONNECT, leaves the rest, and ends reading', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted)
  const { deliveries, ended } = reading(made)
  await made.open()
  scripted.send(...[1, 2, 3].map((id) => publish('a', 'x', 1, id)))
  await eventually(() => assert.equal(deliveries.length, 3))
  void made.settle(deliveries.slice(0, 2), ACCEPT)
  await made.close()
  await made.close()
  assert.equal(await ended, 'ended')
  await made.settle(deliveries, ACCEPT)
  assert.deepEqual(scripted.ids('puback'), [1, 2])
  assert.equal(scripted.received.at(-1)?.name, 'disconnect')
  assert.equal(await reading(made).ended, 'ended')
  await assert.rejects(() => made.open(), PermanentError)
})

test('close with a full window and unread messages ends in good order', async (t) => {
  const scripted = await broker(t)
  const made = subscriber(t, scripted, { window: 1 })
  const { deliveries } = reading(made)
  await made.open()
  scripted.send(...Array.from({ length: 5000 }, (_, index) => publish('a', 'x'.repeat(100), 1, index + 1)))
  await eventually(() => assert.equal(deliveries.length, 1))
  await made.close()
  assert.equal(scripted.received.at(-1)?.name, 'disconnect')
  assert.deepEqual(scripted.ids('puback'), [])
})

test('close while connecting gives up at once', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => null)
  const made = subscriber(t, scripted)
  const opening = made.open()
  await eventually(() => assert.equal(scripted.received.length, 1))
  await Promise.all([made.close(), assert.rejects(() => opening, UnavailableError)])
})

test('the session of a made-up client id is ended on close, that of a given one is kept', async (t) => {
  const scripted = await broker(t)
  const transport = mqttTransport({ url: scripted.url })
  for (const made of [transport.subscriber({ topics: ['#'] }), subscriber(t, scripted)]) {
    await made.open()
    await made.close()
  }
  const disconnects = scripted.received
    .filter(({ name }) => name === 'disconnect')
    .map(({ rest }) => [...rest])
  // Reason 0, five bytes of properties: Session Expiry Interval 0.
  assert.deepEqual(disconnects[0], [0, 5, 0x11, 0, 0, 0, 0])
  assert.notDeepEqual(disconnects[1]?.slice(0, 3), [0, 5, 0x11])
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
