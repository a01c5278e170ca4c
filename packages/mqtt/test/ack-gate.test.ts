import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { PermanentError, type ThroughlineError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { connect, type IClientOptions, MQTTJS_VERSION, type MqttClient } from 'mqtt'
import { type AckGate, gateAcks, type Held } from '../src/ack-gate.ts'
import { ack, publish, type ScriptedBroker, scriptedBroker } from './scripted-broker.ts'

const WRITE_PACKET = '_writePacket'

interface Gated {
  readonly broker: ScriptedBroker
  readonly client: MqttClient
  readonly gate: AckGate
  readonly held: Held[]
  readonly bypasses: ThroughlineError[]
}

async function gated(
  t: TestContext,
  { window = 256, windowBytes = 1 << 20 }: { window?: number; windowBytes?: number } = {},
  options: IClientOptions = {},
): Promise<Gated> {
  const broker = await scriptedBroker()
  t.after(() => broker[Symbol.asyncDispose]())
  const client = connect(broker.url, { protocolVersion: 5, reconnectPeriod: 0, ...options })
  t.after(() => client.end(true))
  const held: Held[] = []
  const bypasses: ThroughlineError[] = []
  const gate = gateAcks(client, {
    window,
    windowBytes,
    onMessage: (message) => held.push(message),
    onFull: () => {},
    onBypass(error) {
      bypasses.push(error)
      client.end(true)
    },
  })
  await new Promise((resolve) => client.once('connect', resolve))
  return { broker, client, gate, held, bypasses }
}

/** Sent behind all else, its PUBCOMP shows that whatever the client had to say before has been said. */
async function roundTrip(broker: ScriptedBroker): Promise<void> {
  const before = broker.ids('pubcomp').length
  broker.send(ack('pubrel', 60_000))
  await eventually(() => assert.equal(broker.ids('pubcomp').length, before + 1))
}

test('the version of MQTT.js is the one that the gate was written for, pinned exactly', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  assert.ok(typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest)
  assert.deepEqual(manifest.dependencies, { '@throughline/core': '0.1.0', mqtt: MQTTJS_VERSION })
})

test('no PUBACK leaves before its message is settled', async (t) => {
  const { broker, gate, held, bypasses } = await gated(t)
  broker.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
  await roundTrip(broker)
  assert.equal(held.length, 2)
  assert.deepEqual(broker.ids('puback'), [])
  gate.settle(held, true)
  await eventually(() => assert.deepEqual(broker.ids('puback'), [1, 2]))
  assert.deepEqual(bypasses, [])
})

test('no PUBREC leaves before its message is settled, and PUBCOMP answers PUBREL', async (t) => {
  const { broker, gate, held } = await gated(t)
  broker.send(publish('a', '1', 2, 7))
  await roundTrip(broker)
  assert.deepEqual(
    held.map(({ packet }) => packet.payload.toString()),
    ['1'],
  )
  assert.deepEqual(broker.ids('pubrec'), [])
  gate.settle(held, true)
  await eventually(() => assert.deepEqual(broker.ids('pubrec'), [7]))
  broker.send(ack('pubrel', 7))
  await eventually(() => assert.deepEqual(broker.ids('pubcomp').slice(-1), [7]))
  assert.equal(held.length, 1)
})

test('acknowledgements leave in receipt order, however messages are settled', async (t) => {
  const { broker, gate, held } = await gated(t)
  broker.send(...[11, 12, 13, 14].map((id) => publish('a', 'x', id % 2 === 0 ? 2 : 1, id)))
  await roundTrip(broker)
  const [first, second, third, fourth] = held
  assert.ok(first && second && third && fourth)
  gate.settle([fourth], true)
  gate.settle([second], true)
  await roundTrip(broker)
  assert.deepEqual(broker.ids('puback'), [])
  gate.settle([first], true)
  await eventually(() => assert.deepEqual([broker.ids('puback'), broker.ids('pubrec')], [[11], [12]]))
  gate.settle([third], true)
  await eventually(() =>
    assert.deepEqual(
      [broker.ids('puback'), broker.ids('pubrec')],
      [
        [11, 13],
        [12, 14],
      ],
    ),
  )
})

test('settling twice acknowledges once', async (t) => {
  const { broker, gate, held } = await gated(t)
  broker.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
  await roundTrip(broker)
  gate.settle(held.slice(0, 1), true)
  gate.settle(held.slice(0, 1), true)
  gate.settle(held.slice(0, 1), false)
  await roundTrip(broker)
  assert.deepEqual(broker.ids('puback'), [1])
})

test('what is released is never acknowledged, nor is what came after it', async (t) => {
  const { broker, gate, held } = await gated(t)
  broker.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2), publish('a', '3', 1, 3))
  await roundTrip(broker)
  gate.settle(held.slice(1, 2), false)
  gate.settle(held, true)
  await roundTrip(broker)
  assert.deepEqual(broker.ids('puback'), [1])
})

test('messages of another connection are ignored', async (t) => {
  const [one, other] = [await gated(t), await gated(t)]
  for (const { broker } of [one, other]) broker.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(one.held.length + other.held.length, 2))
  one.gate.settle(other.held, true)
  await roundTrip(one.broker)
  assert.deepEqual([one.broker.ids('puback'), other.broker.ids('puback')], [[], []])
})

test('reading stops at the window and goes on when there is room', async (t) => {
  const { broker, gate, held } = await gated(t, { window: 3 })
  broker.send(...Array.from({ length: 10 }, (_, index) => publish('a', 'x', 1, index + 1)))
  await eventually(() => assert.equal(held.length, 3))
  gate.settle(held.slice(1, 3), true)
  assert.equal(held.length, 3)
  gate.settle(held.slice(0, 1), true)
  await eventually(() => assert.equal(held.length, 6))
  assert.deepEqual(broker.ids('puback'), [1, 2, 3])
})

test('the window counts messages of QoS 0 until they are settled', async (t) => {
  const { broker, gate, held } = await gated(t, { window: 2 })
  broker.send(...['1', '2', '3', '4'].map((text) => publish('a', text, 0)))
  await eventually(() => assert.equal(held.length, 2))
  gate.settle(held.slice(1, 2), true)
  await eventually(() => assert.equal(held.length, 3))
  gate.settle(held.slice(0, 1), false)
  await eventually(() => assert.equal(held.length, 4))
})

test('reading stops at the bytes of the window too', async (t) => {
  const { broker, gate, held } = await gated(t, { windowBytes: 1000 })
  broker.send(...[1, 2, 3, 4].map((id) => publish('a', 'x'.repeat(600), 1, id)))
  await eventually(() => assert.equal(held.length, 2))
  gate.settle(held.slice(0, 1), true)
  await eventually(() => assert.equal(held.length, 3))
})

test('more QoS 2 messages than Receive Maximum do not break the connection', async (t) => {
  const { broker, gate, held, client } = await gated(t, { window: 4 }, { properties: { receiveMaximum: 4 } })
  broker.send(...Array.from({ length: 12 }, (_, index) => publish('a', 'x', 2, index + 1)))
  for (const count of [4, 8, 12]) {
    await eventually(() => assert.equal(held.length, count))
    gate.settle(held, true)
  }
  await eventually(() => assert.equal(broker.ids('pubrec').length, 12))
  assert.equal(client.connected, true)
})

test('the broker is pinged, and its unread answers are not missed, while the window is full', async (t) => {
  const { broker, gate, held, client } = await gated(t, { window: 1 }, { keepalive: 1 })
  broker.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2))
  await eventually(() => assert.equal(held.length, 1))
  const pings = () => broker.received.filter(({ name }) => name === 'pingreq').length
  // Six are three seconds of half the keep-alive: MQTT.js alone gives up after one and a half.
  await eventually(() => assert.ok(pings() >= 6), { timeoutMs: 30_000 })
  assert.equal(client.connected, true)
  gate.settle(held, true)
  await eventually(() => assert.equal(held.length, 2))
})

test('a stopped gate hands out and acknowledges nothing, and the connection can be closed', async (t) => {
  const { broker, gate, held, client } = await gated(t, { window: 1 })
  broker.send(publish('a', '1', 1, 1), publish('a', '2', 1, 2), publish('a', '3', 2, 3))
  await eventually(() => assert.equal(held.length, 1))
  gate.stop()
  gate.settle(held, true)
  await roundTrip(broker)
  await client.endAsync()
  assert.deepEqual([held.length, broker.ids('puback'), broker.ids('pubrec')], [1, [], []])
  await eventually(() => assert.equal(broker.received.at(-1)?.name, 'disconnect'))
})

test('an MQTT.js that writes a PUBACK past the gate is refused before the PUBACK has left', async (t) => {
  const { broker, client, held, bypasses } = await gated(t)
  client.handleMessage = ({ messageId = 0 }) => client[WRITE_PACKET]({ cmd: 'puback', messageId })
  broker.send(publish('a', '1', 1, 1))
  await eventually(() => assert.ok(bypasses.length > 0))
  await eventually(() => assert.equal(client.connected, false))
  assert.ok(bypasses.every((error) => error instanceof PermanentError && error.code === 'TL_MQTT_ACK_GATE'))
  assert.deepEqual([held, broker.ids('puback')], [[], []])
})

test('an MQTT.js whose PUBACK never comes to the gate is refused at the first message', async (t) => {
  const { broker, client, held, bypasses } = await gated(t)
  client.handleMessage = () => {}
  broker.send(publish('a', '1', 1, 1))
  await eventually(() => assert.equal(bypasses[0]?.code, 'TL_MQTT_ACK_GATE'))
  assert.deepEqual(held, [])
})
