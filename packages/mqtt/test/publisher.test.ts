import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Message, PermanentError, type Publisher, UnavailableError } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import type { MqttOptions } from '../src/options.ts'
import type { MqttPublisherOptions } from '../src/publisher.ts'
import { mqttTransport } from '../src/transport.ts'
import {
  ack,
  connack,
  disconnect,
  type Frame,
  publishId,
  publishTopic,
  type ScriptedBroker,
  scriptedBroker,
} from './scripted-broker.ts'

async function broker(t: TestContext): Promise<ScriptedBroker> {
  const scripted = await scriptedBroker()
  t.after(() => scripted[Symbol.asyncDispose]())
  return scripted
}

function publisher(
  t: TestContext,
  { url }: { url: string },
  settings: Partial<MqttPublisherOptions> = {},
  options: Partial<MqttOptions> = {},
): Publisher {
  const made = mqttTransport({ url, ...options }).publisher({ topic: 'a', ...settings })
  t.after(() => made.close())
  return made
}

function messages(count: number): Message[] {
  return Array.from({ length: count }, (_, index) => ({ body: Buffer.from(String(index)), headers: [] }))
}

/** `ok`, or the error's class and code. */
async function outcomes(results: ReturnType<Publisher['publish']>): Promise<string[]> {
  return (await results).map((result) => (result.ok ? 'ok' : `${result.error.name} ${result.error.code}`))
}

/** Packet identifiers of the first `count` messages, once they have all been sent and no more than that. */
async function sentIds(scripted: ScriptedBroker, count: number): Promise<number[]> {
  return eventually(() => {
    const ids = scripted.ids('publish')
    assert.equal(ids.length, count)
    return ids
  })
}

/** The index that `messages` wrote into the body. */
function indexOf({ rest }: Frame): number {
  return Number(rest.toString('utf8', rest.length - 1))
}

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  await turn()
  const pending = Symbol('pending')
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

test('QoS 1 resolves at its own PUBACK and not before', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', () => null)
  const { publish } = publisher(t, scripted)
  const first = publish(messages(1))
  const second = publish(messages(1))
  const [one = 0, two = 0] = await sentIds(scripted, 2)
  scripted.send(ack('puback', two))
  assert.deepEqual(await outcomes(second), ['ok'])
  assert.equal(await isSettled(first), false)
  scripted.send(ack('puback', one))
  assert.deepEqual(await outcomes(first), ['ok'])
})

test('QoS 2 resolves at PUBCOMP and not at PUBREC', async (t) => {
  const scripted = await broker(t)
  scripted.on('pubrel', () => null)
  const result = publisher(t, scripted, { qos: 2 }).publish(messages(1))
  const [id = 0] = await sentIds(scripted, 1)
  scripted.send(ack('pubrec', id))
  await eventually(() => assert.deepEqual(scripted.ids('pubrel'), [id]))
  assert.equal(await isSettled(result), false)
  scripted.send(ack('pubcomp', id))
  assert.deepEqual(await outcomes(result), ['ok'])
})

test('QoS 0 resolves when it is handed over, with nothing to answer it', async (t) => {
  const scripted = await broker(t)
  assert.deepEqual(await outcomes(publisher(t, scripted, { qos: 0 }).publish(messages(2))), ['ok', 'ok'])
  await eventually(() => assert.equal(scripted.received.filter(({ name }) => name === 'publish').length, 2))
})

test('each message has the answer that its reason code means', async (t) => {
  const scripted = await broker(t)
  const codes = [0, 16, 128, 131, 135, 144, 145, 151, 153]
  scripted.on('publish', (frame) => ack('puback', publishId(frame), codes[indexOf(frame)]))
  const results = await publisher(t, scripted).publish(messages(codes.length))
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.error.name)),
    [
      'ok',
      'ok',
      'PermanentError',
      'PermanentError',
      'PermanentError',
      'PermanentError',
      'UnavailableError',
      'UnavailableError',
      'PermanentError',
    ],
  )
  const quota = results[7]
  assert.ok(quota && !quota.ok)
  assert.match(quota.error.message, /"a".*Quota exceeded \(151\)/)
})

test('a QoS 2 message that is refused in PUBREC fails', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', (frame) => ack('pubrec', publishId(frame), 135))
  const [result] = await publisher(t, scripted, { qos: 2 }).publish(messages(1))
  assert.ok(result && !result.ok && result.error instanceof PermanentError)
  assert.match(result.error.message, /Not authorized \(135\)/)
})

test('a lost connection is each unconfirmed message’s own UnavailableError, and the next call connects again', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', () => null)
  const { publish } = publisher(t, scripted)
  const results = publish(messages(5))
  const ids = await sentIds(scripted, 5)
  const one = publish(messages(1))
  const [last = 0] = (await sentIds(scripted, 6)).slice(-1)
  scripted.send(...[0, 2, 4].map((index) => ack('puback', ids[index] ?? 0)), ack('puback', last))
  // Confirmed behind the three: they are confirmed too.
  assert.deepEqual(await outcomes(one), ['ok'])
  scripted.cut()
  const lost = 'UnavailableError TL_UNAVAILABLE'
  assert.deepEqual(await outcomes(results), ['ok', lost, 'ok', lost, 'ok'])
  scripted.on('publish', (frame) => ack('puback', publishId(frame)))
  assert.deepEqual(await outcomes(publish(messages(2))), ['ok', 'ok'])
})

test('an unreachable broker is named, without the password', async (t) => {
  const scripted = await scriptedBroker()
  await scripted[Symbol.asyncDispose]()
  const url = scripted.url.replace('//', '//user:secret@')
  const made = publisher(t, { url })
  const { address } = { address: scripted.url }
  const check = (error: unknown) => {
    assert.ok(error instanceof UnavailableError)
    assert.ok(error.message.includes(address), error.message)
    assert.ok(!error.message.includes('secret'), error.message)
    return true
  }
  await assert.rejects(() => made.open(), check)
  const [result] = await made.publish(messages(1))
  assert.ok(result && !result.ok && check(result.error))
})

for (const [code, reason] of [
  [134, /Bad User Name or Password \(134\)/],
  [135, /Not authorized \(135\)/],
  [133, /Client Identifier not valid \(133\)/],
] as const) {
  test(`a refusal with ${code} is permanent for the connection and never a message's own fault`, async (t) => {
    const scripted = await broker(t)
    scripted.on('connect', () => connack(code))
    const made = publisher(t, scripted)
    await assert.rejects(
      () => made.open(),
      (error) => error instanceof PermanentError && reason.test(error.message),
    )
    assert.deepEqual(await outcomes(made.publish(messages(1))), ['UnavailableError TL_MQTT_REFUSED'])
  })
}

test('a broker that is busy is unavailable', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(137))
  await assert.rejects(() => publisher(t, scripted).open(), UnavailableError)
})

test('a broker that does not answer CONNECT is unavailable after the time given', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => null)
  await assert.rejects(() => publisher(t, scripted, {}, { connectTimeoutMs: 50 }).open(), UnavailableError)
})

test('a peer that does not speak MQTT is unavailable and named', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await assert.rejects(
    () => publisher(t, scripted).open(),
    (error) => error instanceof UnavailableError && error.message.includes(scripted.url),
  )
})

test('a confirmation that does not come in time fails its message, and the others go on', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', (frame) =>
    publishTopic(frame) === 'silent' ? null : ack('puback', publishId(frame)),
  )
  const { publish } = publisher(t, scripted, { timeoutMs: 100 })
  const first = publish([{ body: null, headers: [], destination: 'silent' }])
  const second = publish(messages(1))
  assert.deepEqual(await outcomes(second), ['ok'])
  assert.deepEqual(await outcomes(first), ['UnavailableError TL_TIMEOUT'])
})

test('no more messages are on their way than the broker’s Receive Maximum', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(0, [0x21, 0, 2]))
  scripted.on('publish', () => null)
  const results = publisher(t, scripted).publish(messages(5))
  await sentIds(scripted, 2)
  for (const confirmed of [1, 2, 3, 4, 5]) {
    scripted.send(ack('puback', scripted.ids('publish')[confirmed - 1] ?? 0))
    await sentIds(scripted, Math.min(5, confirmed + 2))
  }
  assert.deepEqual(await outcomes(results), ['ok', 'ok', 'ok', 'ok', 'ok'])
})

test('a packet of just the broker’s Maximum Packet Size is sent, one byte more is refused', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(0, [0x27, 0, 0, 1, 44]))
  const message = (size: number): Message => ({
    body: Buffer.alloc(size),
    headers: [
      ['traceparent', '00-1'],
      ['ä', 'ö'],
      ['ä', ''],
    ],
    contentType: 'text/plain',
    properties: { correlationId: 'c', replyTo: 'r', expiryMs: 1 },
  })
  const { publish } = publisher(t, scripted)
  const results = await publish(Array.from({ length: 300 }, (_, size) => message(size)))
  const sizes = scripted.received.filter(({ name }) => name === 'publish').map(({ length }) => length)
  assert.equal(sizes.at(-1), 300)
  assert.equal(results.filter(({ ok }) => ok).length, sizes.length)
  const refused = results.find((result) => !result.ok)
  assert.ok(refused && !refused.ok && refused.error instanceof PermanentError)
  assert.match(refused.error.message, /takes 301 bytes, the broker accepts 300/)
})

test('what the broker cannot do is refused before it is sent', async (t) => {
  const scripted = await broker(t)
  scripted.on('connect', () => connack(0, [0x24, 0, 0x25, 0]))
  assert.deepEqual(await outcomes(publisher(t, scripted, { qos: 1 }).publish(messages(1))), [
    'PermanentError TL_PERMANENT',
  ])
  assert.deepEqual(await outcomes(publisher(t, scripted, { qos: 0, retain: true }).publish(messages(1))), [
    'PermanentError TL_PERMANENT',
  ])
  assert.deepEqual(
    scripted.received.filter(({ name }) => name === 'publish'),
    [],
  )
})

test('a bad topic or header fails its own message alone', async (t) => {
  const scripted = await broker(t)
  const [good] = messages(1)
  assert.ok(good)
  const results = publisher(t, scripted).publish([
    good,
    { ...good, destination: 'a/+' },
    { ...good, headers: [['x', 'y'.repeat(65_536)]] },
    { ...good, destination: 'b' },
  ])
  assert.deepEqual(await outcomes(results), [
    'ok',
    'PermanentError TL_MQTT_TOPIC_INVALID',
    'PermanentError TL_PERMANENT',
    'ok',
  ])
  assert.deepEqual(scripted.received.filter(({ name }) => name === 'publish').map(publishTopic), ['a', 'b'])
})

test('calls that overlap while connecting are sent in their order', async (t) => {
  const scripted = await broker(t)
  const { publish } = publisher(t, scripted)
  const topics = Array.from({ length: 50 }, (_, index) => `t${index}`)
  await Promise.all(topics.map((destination) => publish([{ body: null, headers: [], destination }])))
  assert.deepEqual(scripted.received.filter(({ name }) => name === 'publish').map(publishTopic), topics)
})

test('a publisher whose session is taken over says so, does not fight, and blames no message', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', () => null)
  const made = publisher(t, scripted, {}, { clientId: 'edge' })
  const results = made.publish(messages(2))
  await eventually(() => assert.equal(scripted.ids('publish').length, 2))
  scripted.send(disconnect(142))
  const takenOver = 'UnavailableError TL_SESSION_TAKEN_OVER'
  assert.deepEqual(await outcomes(results), [takenOver, takenOver])
  await assert.rejects(
    () => made.open(),
    (error) => error instanceof PermanentError && /"edge-pub" and took over/.test(error.message),
  )
  assert.deepEqual(await outcomes(made.publish(messages(1))), [takenOver])
  assert.equal(scripted.received.filter(({ name }) => name === 'connect').length, 1)
})

test('publishers of one transport share a connection, and the last one that closes ends it', async (t) => {
  const scripted = await broker(t)
  const transport = mqttTransport({ url: scripted.url })
  const [one, other] = [transport.publisher({ topic: 'a' }), transport.publisher({ topic: 'b' })]
  await Promise.all([one.publish(messages(1)), other.publish(messages(1))])
  await one.close()
  assert.deepEqual(await outcomes(other.publish(messages(1))), ['ok'])
  await other.close()
  await other.close()
  const names = scripted.received.map(({ name }) => name)
  assert.deepEqual(names, ['connect', 'publish', 'publish', 'publish', 'disconnect'])
})

test('close waits for what is in flight, and what is published later is refused', async (t) => {
  const scripted = await broker(t)
  scripted.on('publish', () => null)
  const made = publisher(t, scripted)
  const result = made.publish(messages(1))
  const [id = 0] = await sentIds(scripted, 1)
  const closed = made.close()
  assert.equal(await isSettled(closed), false)
  scripted.send(ack('puback', id))
  await closed
  assert.deepEqual(await outcomes(result), ['ok'])
  assert.deepEqual(await outcomes(made.publish(messages(1))), ['UnavailableError TL_UNAVAILABLE'])
  await assert.rejects(() => made.open(), PermanentError)
})

test('publishing nothing connects to nothing', async (t) => {
  assert.deepEqual(await publisher(t, { url: 'mqtt://127.0.0.1:1' }).publish([]), [])
})

test('with topic aliases a topic goes over the wire once, for as many as the broker takes', async (t) => {
  const peer = await broker(t)
  // Topic Alias Maximum 1
  peer.on('connect', () => connack(0, [0x22, 0, 1]))
  const made = publisher(t, peer, {}, { topicAliases: true })
  const to = (destination: string): Message => ({ body: Buffer.from('x'), headers: [], destination })
  for (const topic of ['a/b', 'a/b', 'c', 'a/b'])
    assert.deepEqual(await outcomes(made.publish([to(topic)])), ['ok'])
  const topics = peer.received.filter(({ name }) => name === 'publish').map(publishTopic)
  assert.deepEqual(topics, ['a/b', '', 'c', 'a/b'])
})

test('without topic aliases, or a broker that takes any, the topic always goes over the wire', async (t) => {
  const willing = await broker(t)
  willing.on('connect', () => connack(0, [0x22, 0, 1]))
  const unwilling = await broker(t)
  for (const [peer, topicAliases] of [
    [willing, false],
    [unwilling, true],
  ] as const) {
    const made = publisher(t, peer, { topic: 'a/b' }, { topicAliases })
    await made.publish(messages(2))
    assert.deepEqual(peer.received.filter(({ name }) => name === 'publish').map(publishTopic), ['a/b', 'a/b'])
  }
})

test('a will that waits resumes the session, but not one in which a QoS 2 message is left', async (t) => {
  for (const [qos, cleanStarts] of [
    [1, [true, false]],
    [2, [true, true]],
  ] as const) {
    const peer = await broker(t)
    const will = { topic: 'w', body: 'gone', delaySeconds: 60 }
    const made = publisher(t, peer, { qos }, { will })
    peer.on('publish', () => null)
    const lost = outcomes(made.publish(messages(1)))
    await eventually(() => assert.ok(peer.received.some(({ name }) => name === 'publish')))
    peer.cut()
    assert.deepEqual(await lost, ['UnavailableError TL_UNAVAILABLE'])
    await made.open()
    const connects = peer.received.filter(({ name }) => name === 'connect')
    // Behind the protocol's name and level.
    assert.deepEqual(
      connects.map(({ rest }) => ((rest[7] ?? 0) & 2) !== 0),
      cleanStarts,
    )
  }
})
