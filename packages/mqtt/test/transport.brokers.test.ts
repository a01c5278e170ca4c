import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type CloudEvent,
  type Delivery,
  type Header,
  type Message,
  PermanentError,
  type Subscriber,
} from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { mqtt } from '../src/index.ts'
import type { MqttSubscriberOptions } from '../src/subscriber.ts'
import { mqttTransport } from '../src/transport.ts'
import { mqttUrl, unique } from './mqtt-url.ts'

const ACCEPT = { outcome: 'accept' } as const

/** A subscriber that has its subscription, and the publisher beside it. */
async function pair(t: TestContext, settings: Partial<MqttSubscriberOptions> = {}, qos: 0 | 1 | 2 = 1) {
  const topic = unique('transport')
  const transport = mqttTransport({ url: mqttUrl() })
  const subscriber = transport.subscriber({ topics: [`${topic}/#`], qos, ...settings })
  const publisher = transport.publisher({ topic: `${topic}/a`, qos })
  t.after(() => Promise.all([subscriber.close(), publisher.close()]))
  await subscriber.open()
  return { topic, transport, subscriber, publisher }
}

/** Somebody else's client. */
async function stranger(t: TestContext, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(mqttUrl(), options)
  t.after(() => client.endAsync(true))
  return client
}

async function take(subscriber: Subscriber, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const deliveries of subscriber.deliveries()) {
    taken.push(...deliveries)
    await subscriber.settle(deliveries, ACCEPT)
    if (taken.length >= count) break
  }
  return taken
}

test('headers, content type and properties arrive as they were sent', async (t) => {
  const { subscriber, publisher } = await pair(t)
  const headers: Header[] = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['throughline-sent-at', '1700000000000000'],
    ['twice', '1'],
    ['twice', '2'],
    ['ünï', '€ 🎉 "x"'],
    ['empty', ''],
    ['__proto__', 'x'],
    ['long', 'x'.repeat(65_535)],
  ]
  const message: Message = {
    body: Buffer.from('x'),
    headers,
    contentType: 'text/plain; charset=utf-8',
    properties: { correlationId: 'c-1', replyTo: 'answers/1', expiryMs: 60_000 },
  }
  const [result] = await publisher.publish([message])
  assert.deepEqual(result?.ok, true)
  const [arrived] = await take(subscriber, 1)
  assert.deepEqual(arrived?.message.headers, headers)
  assert.equal(arrived?.message.contentType, message.contentType)
  const { expiryMs = 0, ...rest } = arrived?.message.properties ?? {}
  assert.deepEqual(rest, { correlationId: 'c-1', replyTo: 'answers/1' })
  assert.ok(expiryMs > 0 && expiryMs <= 60_000)
})

test('no character in a header, content type or topic makes the broker break the connection', async (t) => {
  const { topic, subscriber, publisher } = await pair(t)
  // One of each block of characters, and all of the first: a broker that refuses one ends the connection for all.
  const points = [...Array(256).keys(), 0xd800, 0xdfff, 0xfdd0, 0xfeff, 0xfffe, 0xffff, 0x1fffe, 0x1f389]
  const texts = points.map((point) => `a${String.fromCodePoint(point)}b`)
  const results = await publisher.publish([
    ...texts.map((text): Message => ({ body: null, headers: [['x', text]] })),
    ...texts.map((contentType): Message => ({ body: null, headers: [], contentType })),
    ...texts.map((text): Message => ({ body: null, headers: [], destination: `${topic}/${text}` })),
  ])
  assert.ok(results.slice(0, texts.length).every(({ ok }) => ok))
  for (const result of results) assert.ok(result.ok || result.error instanceof PermanentError)
  const arrived = await take(subscriber, results.filter(({ ok }) => ok).length)
  const read = arrived.slice(0, texts.length).map(({ message: { headers } }) => headers[0])
  const written = read.map((header) =>
    header?.[0] === 'x-b64' ? Buffer.from(String(header[1]), 'base64').toString() : header?.[1],
  )
  assert.deepEqual(
    written,
    texts.map((text) => text.toWellFormed()),
  )
})

for (const qos of [0, 1, 2] as const) {
  test(`QoS ${qos} is published, delivered in order, and said`, async (t) => {
    const { transport, subscriber, publisher } = await pair(t, {}, qos)
    const messages = Array.from({ length: 100 }, (_, index) => ({
      body: Buffer.from(String(index)),
      headers: [],
    }))
    const results = await publisher.publish(messages)
    const arrived = await take(subscriber, 100)
    assert.deepEqual(
      arrived.map(({ message }) => Number(Buffer.from(message.body ?? []).toString())),
      messages.map((_, index) => index),
    )
    const [result] = results
    assert.ok(result?.ok)
    const [sent, delivered] = [transport.attributes.confirmed(result), arrived[0]]
    assert.equal(sent['messaging.mqtt.qos'], qos)
    assert.equal('messaging.mqtt.packet_id' in sent, qos > 0)
    assert.ok(delivered)
    assert.equal(transport.attributes.delivered(delivered)['messaging.mqtt.qos'], qos)
  })
}

test('events in both modes reach a handler as they were published, and rejects do not come again', async (t) => {
  const topic = unique('events')
  const broker = mqtt({ url: mqttUrl() })
  t.after(() => broker.close())
  const seen: CloudEvent[] = []
  const attempts = new Map<string, number>()
  const subscription = await broker.subscribe(
    { topics: [`${topic}/+`], onExhausted: 'drop', retry: { attempts: 2, minMs: 1, maxMs: 1 } },
    (event) => {
      attempts.set(event.id, (attempts.get(event.id) ?? 0) + 1)
      if (event.type === 'bad') throw new Error('no')
      seen.push(event)
    },
  )
  const publisher = broker.publisher({ topic: `${topic}/x` })
  const event = {
    source: '/station',
    type: 'reading',
    time: '2024-05-01T10:00:00.123456789Z',
    data: { celsius: 21.5 },
  }
  await publisher.publish({ ...event, id: 'binary' })
  await publisher.publish({ ...event, id: 'bad', type: 'bad' })
  await publisher.publish({ ...event, id: 'structured', n: 7 }, { mode: 'structured' })
  await publisher.publish({
    ...event,
    id: 'origin',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  })
  await eventually(() => assert.equal(seen.length, 3))
  const common = { ...event, specversion: '1.0', datacontenttype: 'application/json' }
  assert.deepEqual({ ...seen[0], datacontenttype: 'application/json' }, { ...common, id: 'binary' })
  assert.deepEqual({ ...seen[1], datacontenttype: 'application/json' }, { ...common, id: 'structured', n: 7 })
  assert.equal(seen[2]?.traceparent, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
  assert.equal(attempts.get('bad'), 2)
  assert.equal(subscription.state, 'running')
})

test('a stranger sees user properties and content type', async (t) => {
  const topic = unique('stranger')
  const client = await stranger(t, { protocolVersion: 5 })
  const packets: IPublishPacket[] = []
  client.on('message', (_topic, _payload, packet) => packets.push(packet))
  await client.subscribeAsync(topic, { qos: 1 })
  const broker = mqtt({ url: mqttUrl() })
  t.after(() => broker.close())
  await broker.publisher({ topic }).publish({ id: '1', source: '/s', type: 't', data: { a: 1 } })
  const [packet] = await eventually(() => {
    assert.equal(packets.length, 1)
    return packets
  })
  const { userProperties = {}, contentType } = packet?.properties ?? {}
  assert.equal(contentType, 'application/json')
  assert.deepEqual([userProperties.specversion, userProperties.id, userProperties.type], ['1.0', '1', 't'])
  assert.equal(packet?.payload.toString(), '{"a":1}')
})

for (const protocolVersion of [4, 5] as const) {
  test(`a stranger that speaks version ${protocolVersion} of the protocol is read`, async (t) => {
    const { topic, subscriber } = await pair(t)
    const client = await stranger(t, { protocolVersion })
    await client.publishAsync(`${topic}/plain`, '21.5', { qos: 1 })
    const [delivery] = await take(subscriber, 1)
    assert.equal(Buffer.from(delivery?.message.body ?? []).toString(), '21.5')
    assert.deepEqual(delivery?.message.headers, [])
    assert.deepEqual(delivery?.position, { destination: `${topic}/plain`, pattern: `${topic}/#` })
  })
}

test('a retained message comes at the first subscription and not at each connection', async (t) => {
  const topic = unique('retained')
  const transport = mqttTransport({ url: mqttUrl(), clientId: unique('retained') })
  const retaining = transport.publisher({ topic, retain: true })
  t.after(() => retaining.close())
  await retaining.publish([{ body: Buffer.from('kept'), headers: [] }])
  const first = transport.subscriber({ topics: [topic] })
  const [delivery] = await take(first, 1)
  assert.ok(delivery)
  assert.equal(transport.attributes.delivered(delivery)['messaging.mqtt.retain'], true)
  await first.close()
  const second = transport.subscriber({ topics: [topic] })
  t.after(() => second.close())
  await second.open()
  const passing = transport.publisher({ topic })
  t.after(() => passing.close())
  await passing.publish([{ body: Buffer.from('new'), headers: [] }])
  const [next] = await take(second, 1)
  assert.equal(Buffer.from(next?.message.body ?? []).toString(), 'new')
  await retaining.publish([{ body: null, headers: [] }])
})

test('a message that nobody subscribes to is published', async (t) => {
  const publisher = mqttTransport({ url: mqttUrl() }).publisher({ topic: unique('nobody') })
  t.after(() => publisher.close())
  const [result] = await publisher.publish([{ body: null, headers: [] }])
  assert.equal(result?.ok, true)
})

test('5,000 messages in one call stay within what the broker takes at one time', async (t) => {
  const publisher = mqttTransport({ url: mqttUrl() }).publisher({ topic: unique('many') })
  t.after(() => publisher.close())
  const results = await publisher.publish(
    Array.from({ length: 5000 }, () => ({ body: Buffer.from('x'), headers: [] })),
  )
  assert.equal(results.filter(({ ok }) => ok).length, 5000)
})
