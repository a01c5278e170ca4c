import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { CloudEvent, Delivery, Message, Subscriber } from '@throughline/core'
import { eventually, type SpanNode, tcpProxy, withSpans } from '@throughline/testkit'
import { connect, type IConnackPacket } from 'mqtt'
import { mqtt } from '../src/index.ts'
import type { MqttOptions, MqttWill } from '../src/options.ts'
import type { MqttSubscriberOptions } from '../src/subscriber.ts'
import { mqttTransport } from '../src/transport.ts'
import { mqttUrl, unique } from './mqtt-url.ts'

const ACCEPT = { outcome: 'accept' } as const

function raw(body: string): Message {
  return { body: Buffer.from(body), headers: [] }
}

function text({ message: { body } }: Delivery): string {
  return Buffer.from(body ?? []).toString()
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

/** Publishes a will when it is cut off. */
async function mortal(t: TestContext, will: MqttWill, options: Partial<MqttOptions> = {}) {
  const { hostname, port } = new URL(mqttUrl())
  const proxy = await tcpProxy({ target: `${hostname}:${port || 1883}` })
  const broker = mqtt({ url: `mqtt://${proxy.address}`, clientId: unique('mortal'), will, ...options })
  t.after(async () => {
    await broker.close()
    await proxy.close()
  })
  return { proxy, broker, publisher: broker.publisher({ topic: unique('life') }) }
}

describe('a will', () => {
  for (const options of [{}, { protocolVersion: 4, envelope: true }] as const) {
    const { protocolVersion = 5 } = options
    test(`of version ${protocolVersion} is handled in the trace in which the connection was made`, (t) =>
      withSpans(async (spans) => {
        const [topic, start] = [unique('will'), unique('start')]
        const event = { type: 'gone', source: '/device', subject: '7', data: { since: 1 } }
        const { proxy, publisher } = await mortal(t, { topic, event }, options)
        const reader = mqtt({ url: mqttUrl(), clientId: unique('reader'), ...options })
        t.after(() => reader.close())
        const seen: CloudEvent[] = []
        await reader.subscribe({ topics: [topic, start] }, async (each) => {
          if (each.type === 'start') await publisher.open()
          else seen.push(each)
        })
        await reader.publisher({ topic: start }).publish({ type: 'start', source: '/test' })
        await eventually(() => assert.equal(spans.finished().length, 2))
        proxy.cut()
        await eventually(() => assert.equal(spans.finished().length, 3))
        const [{ id = '', ...rest } = {}] = seen
        assert.match(id, /./)
        const typed = protocolVersion === 5 ? { datacontenttype: 'application/json' } : {}
        assert.deepEqual(rest, { specversion: '1.0', ...event, ...typed })
        const shape = ({ name, kind, parent, links, children }: SpanNode): object => {
          return { name, kind, parent, links, under: children?.map(shape) }
        }
        const consumed = (name: string, parent: string, under?: object[]) => {
          return { name, kind: 'CONSUMER', parent, links: [{ to: parent }], under }
        }
        const [sent, started, willed] = [`publish ${start}`, `process ${start}`, `process ${topic}`]
        assert.deepEqual(spans.tree().map(shape), [
          {
            name: sent,
            kind: 'PRODUCER',
            parent: null,
            links: undefined,
            under: [consumed(started, sent, [consumed(willed, started)])],
          },
        ])
      }))
  }

  test('may be bytes, may be retained, and is not published after a close', async (t) => {
    const topic = unique('will')
    const reader = mqttTransport({ url: mqttUrl() }).subscriber({ topics: [`${topic}/+`] })
    t.after(() => reader.close())
    await reader.open()
    const polite = await mortal(t, { topic: `${topic}/polite`, body: 'no' })
    await polite.publisher.open()
    await polite.broker.close()
    const cut = await mortal(t, {
      topic: `${topic}/cut`,
      body: 'yes',
      contentType: 'text/plain',
      qos: 2,
      retain: true,
    })
    await cut.publisher.open()
    cut.proxy.cut()
    const [first] = await take(reader, 1)
    assert.deepEqual([first?.position.destination, first && text(first)], [`${topic}/cut`, 'yes'])
    assert.equal(first?.message.contentType, 'text/plain')
    const later = mqttTransport({ url: mqttUrl() }).subscriber({ topics: [`${topic}/+`] })
    t.after(() => later.close())
    const [kept] = await take(later, 1)
    assert.equal(kept && text(kept), 'yes')
    const eraser = mqttTransport({ url: mqttUrl() }).publisher({ topic: `${topic}/cut`, retain: true })
    await eraser.publish([{ body: null, headers: [] }])
    await eraser.close()
  })

  test('waits, and is not published when the connection is back by then', async (t) => {
    const topic = unique('will')
    const reader = mqttTransport({ url: mqttUrl() }).subscriber({ topics: [`${topic}/+`] })
    t.after(() => reader.close())
    await reader.open()
    const [back, away] = [
      await mortal(t, { topic: `${topic}/back`, body: '', delaySeconds: 1 }),
      await mortal(t, { topic: `${topic}/away`, body: '', delaySeconds: 3 }),
    ]
    for (const { publisher, proxy } of [back, away]) {
      await publisher.publish({ body: 'alive' })
      proxy.cut()
    }
    // At the first try it may not have heard yet that it was cut off.
    await eventually(() => back.publisher.publish({ body: 'alive again' }))
    // When the later one has come, the earlier one would have.
    const [only] = await take(reader, 1)
    assert.equal(only?.position.destination, `${topic}/away`)
  })
})

describe('retained messages', () => {
  async function retained(t: TestContext, settings: Partial<MqttSubscriberOptions>) {
    const topic = unique('retain')
    const transport = mqttTransport({ url: mqttUrl(), clientId: unique('retain') })
    const keeping = transport.publisher({ topic, retain: true })
    const passing = transport.publisher({ topic })
    await keeping.publish([raw('kept')])
    t.after(async () => {
      await keeping.publish([{ body: null, headers: [] }])
      await Promise.all([keeping.close(), passing.close()])
    })
    const subscriber = transport.subscriber({ topics: [topic], ...settings })
    t.after(() => subscriber.close())
    return { transport, topic, keeping, passing, subscriber }
  }

  test('come at every connection where they are always asked for', async (t) => {
    const { transport, topic, subscriber, passing } = await retained(t, { retainHandling: 'always' })
    assert.deepEqual((await take(subscriber, 1)).map(text), ['kept'])
    await subscriber.close()
    const again = transport.subscriber({ topics: [topic], retainHandling: 'always' })
    t.after(() => again.close())
    await again.open()
    await passing.publish([raw('new')])
    assert.deepEqual((await take(again, 2)).map(text), ['kept', 'new'])
  })

  test('never come where none are asked for', async (t) => {
    const { subscriber, passing } = await retained(t, { retainHandling: 'never' })
    await subscriber.open()
    await passing.publish([raw('new')])
    assert.deepEqual((await take(subscriber, 1)).map(text), ['new'])
  })

  for (const retainAsPublished of [false, true]) {
    test(`${retainAsPublished ? 'keep' : 'do not keep'} their flag on the way with retainAsPublished: ${retainAsPublished}`, async (t) => {
      const { transport, subscriber, keeping } = await retained(t, {
        retainHandling: 'never',
        retainAsPublished,
      })
      await subscriber.open()
      await keeping.publish([raw('newer')])
      const [delivery] = await take(subscriber, 1)
      assert.ok(delivery)
      assert.equal(transport.attributes.delivered(delivery)['messaging.mqtt.retain'], retainAsPublished)
    })
  }
})

test('a session is forgotten when its time is up', async () => {
  const clientId = unique('expiry')
  const topic = unique('expiry')
  const subscriber = mqttTransport({ url: mqttUrl(), clientId }).subscriber({
    topics: [topic],
    sessionExpirySeconds: 1,
  })
  await subscriber.open()
  await subscriber.close()
  async function isKept(): Promise<boolean> {
    const client = connect(mqttUrl(), {
      clientId: `${clientId}-sub`,
      clean: false,
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 1 },
    })
    const { sessionPresent } = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve))
    await client.endAsync()
    return sessionPresent
  }
  assert.equal(await isKept(), true)
  // Each look lets it live for a second more.
  await eventually(async () => assert.equal(await isKept(), false), { intervalMs: 3000, timeoutMs: 30_000 })
})

test('topic aliases, more topics than the broker has numbers for, and every message on its topic', async (t) => {
  const topic = unique('alias')
  const transport = mqttTransport({ url: mqttUrl(), topicAliases: true })
  const subscriber = transport.subscriber({ topics: [`${topic}/+`], topicAliasMaximum: 10 })
  const publisher = transport.publisher({ topic })
  t.after(() => Promise.all([subscriber.close(), publisher.close()]))
  await subscriber.open()
  const topics = Array.from({ length: 300 }, (_, index) => `${topic}/${(index * 7) % 25}`)
  const results = await publisher.publish(topics.map((destination) => ({ ...raw(destination), destination })))
  assert.ok(results.every(({ ok }) => ok))
  const arrived = await take(subscriber, 300)
  assert.deepEqual(arrived.map(text), topics)
  assert.deepEqual(
    arrived.map(({ position }) => position.destination),
    topics,
  )
})
