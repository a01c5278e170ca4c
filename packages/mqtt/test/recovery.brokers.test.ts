import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type Delivery,
  type Message,
  PermanentError,
  type Subscriber,
  UnavailableError,
} from '@throughline/core'
import { eventually, type TcpProxy, tcpProxy } from '@throughline/testkit'
import { type MqttTransport, mqttTransport } from '../src/transport.ts'
import { mqttUrl, unique } from './mqtt-url.ts'

const ACCEPT = { outcome: 'accept' } as const
const WINDOW = 64

async function proxied(t: TestContext): Promise<TcpProxy & { readonly url: string }> {
  const { hostname, port } = new URL(mqttUrl())
  const proxy = await tcpProxy({ target: `${hostname}:${port || 1883}` })
  t.after(() => proxy.close())
  return Object.assign(proxy, { url: `mqtt://${proxy.address}` })
}

function text({ message }: Delivery): string {
  return Buffer.from(message.body ?? []).toString()
}

function numbered(count: number, topic: string, keys = 1): Message[] {
  return Array.from({ length: count }, (_, index) => ({
    body: Buffer.from(String(index)),
    headers: [],
    destination: keys === 1 ? topic : `${topic}/${index % keys}`,
  }))
}

async function publishAll(
  transport: MqttTransport,
  messages: readonly Message[],
  qos: 0 | 1 | 2 = 1,
): Promise<void> {
  const publisher = transport.publisher({ topic: 'unused', qos })
  const results = await publisher.publish(messages)
  assert.deepEqual(
    results.filter(({ ok }) => !ok),
    [],
  )
  await publisher.close()
}

/** Creates the session, so that the broker keeps what is published from now on. */
async function createSession(url: string, clientId: string, topic: string): Promise<void> {
  const subscriber = mqttTransport({ url, clientId }).subscriber({ topics: [topic] })
  await subscriber.open()
  await subscriber.close()
}

/** Messages in the order in which they first arrived, by topic's last level or as they are. */
function firstArrivals(bodies: readonly string[]): number[] {
  return [...new Set(bodies)].map(Number)
}

test('a consumer killed with SIGKILL in the middle of 2,000 messages loses none', async (t) => {
  const [clientId, topic] = [unique('killed'), unique('kill')]
  const folder = mkdtempSync(join(tmpdir(), 'throughline-mqtt-'))
  t.after(() => rmSync(folder, { recursive: true }))
  await createSession(mqttUrl(), clientId, topic)
  await publishAll(mqttTransport({ url: mqttUrl() }), numbered(2000, topic))

  function start(log: string): ChildProcess {
    writeFileSync(log, '')
    const script = fileURLToPath(new URL('./consumer.ts', import.meta.url))
    const child = spawn(
      process.execPath,
      ['--conditions=@throughline/source', script, mqttUrl(), clientId, topic, log],
      { stdio: 'inherit' },
    )
    t.after(() => child.kill('SIGKILL'))
    return child
  }
  const lines = (log: string, kind: string) =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${kind} `))
      .map((line) => line.slice(kind.length + 1))

  const [log1, log2] = [join(folder, '1'), join(folder, '2')]
  const first = start(log1)
  await eventually(() => assert.ok(lines(log1, 'handled').length > 500), { timeoutMs: 60_000, intervalMs: 2 })
  const exited = once(first, 'exit')
  first.kill('SIGKILL')
  assert.deepEqual(await exited, [null, 'SIGKILL'])
  const handledFirst = lines(log1, 'handled')
  assert.ok(handledFirst.length < 2000, 'it was killed in the middle')

  start(log2)
  const everything = Array.from({ length: 2000 }, (_, index) => String(index))
  const union = () => new Set([...handledFirst, ...lines(log2, 'handled')])
  await eventually(() => assert.equal(union().size, 2000), { timeoutMs: 60_000, intervalMs: 50 })
  assert.ok(everything.every((body) => union().has(body)))
  const again = new Set(lines(log2, 'delivered'))
  const twice = handledFirst.filter((body) => again.has(body))
  assert.ok(
    twice.length <= WINDOW,
    `${twice.length} came again, at most the window of ${WINDOW} was in flight`,
  )
  const arrived = firstArrivals([...lines(log1, 'delivered'), ...lines(log2, 'delivered')])
  assert.deepEqual(arrived, everything.map(Number))
})

test('2,000 messages are published while the connection is cut, those without confirmation once more', async (t) => {
  const proxy = await proxied(t)
  const [clientId, topic] = [unique('cut'), unique('cut-publisher')]
  const subscriber = mqttTransport({ url: mqttUrl(), clientId }).subscriber({ topics: [topic] })
  t.after(() => subscriber.close())
  await subscriber.open()
  const publisher = mqttTransport({ url: proxy.url }).publisher({ topic })
  t.after(() => publisher.close())
  const seen = new Set<string>()
  let received = 0
  const reading = (async () => {
    for await (const deliveries of subscriber.deliveries()) {
      received += deliveries.length
      for (const delivery of deliveries) seen.add(text(delivery))
      await subscriber.settle(deliveries, ACCEPT)
      if (seen.size === 2000) break
    }
  })()
  let left = numbered(2000, topic)
  for (const round of [1, 2, 3]) {
    await publisher.open()
    // The broker gets messages and its confirmations do not get back.
    if (round < 3) proxy.stall('toClient')
    const before = received
    const publishing = publisher.publish(left)
    if (round < 3) {
      await eventually(() => assert.ok(received > before))
      proxy.cut()
      await proxy.restore()
    }
    const results = await publishing
    for (const result of results) assert.ok(result.ok || result.error instanceof UnavailableError)
    left = left.filter((_, index) => results[index]?.ok === false)
    assert.equal(left.length > 0, round < 3, `${left.length} left after round ${round}`)
  }
  await reading
})

for (const [protocolVersion, qos] of [
  [5, 1],
  [5, 2],
  [4, 1],
  [4, 2],
] as const) {
  test(`what was not settled comes again at QoS ${qos} of version ${protocolVersion}, what was settled does not`, async (t) => {
    const [clientId, topic] = [unique('unsettled'), unique('unsettled')]
    const options = { url: mqttUrl(), clientId, protocolVersion, envelope: true }
    const subscriber = mqttTransport(options).subscriber({ topics: [topic], qos })
    t.after(() => subscriber.close())
    await subscriber.open()
    await publishAll(mqttTransport({ url: mqttUrl() }), numbered(10, topic), qos)
    const before = await take(subscriber, 10)
    await subscriber.settle(before.slice(0, 4), ACCEPT)
    // Behind one that is open: held back, so these come again too.
    await subscriber.settle(before.slice(5), ACCEPT)
    await subscriber.close()

    const again = mqttTransport(options).subscriber({ topics: [topic], qos })
    t.after(() => again.close())
    const after = await take(again, 6)
    assert.deepEqual(after.map(text), ['4', '5', '6', '7', '8', '9'])
    assert.ok(after.every(({ redelivered }) => redelivered))
  })
}

test('a connection that hangs is unavailable after the keep-alive, and nothing is lost', async (t) => {
  const proxy = await proxied(t)
  const [clientId, topic] = [unique('hang'), unique('hang')]
  const subscriber = mqttTransport({ url: proxy.url, clientId, keepaliveSeconds: 1 }).subscriber({
    topics: [topic],
  })
  t.after(() => subscriber.close())
  await subscriber.open()
  proxy.stall('both')
  await publishAll(mqttTransport({ url: mqttUrl() }), numbered(3, topic))
  await assert.rejects(() => take(subscriber, 1), UnavailableError)
  await proxy.restore()
  assert.deepEqual((await take(subscriber, 3)).map(text), ['0', '1', '2'])
})

test('pings are answered while all handlers are slow and the window is full', async (t) => {
  async function waitAndRead(protocolVersion: 4 | 5): Promise<void> {
    const [clientId, topic] = [unique('slow'), unique('slow')]
    const options = { url: mqttUrl(), clientId, protocolVersion, envelope: true, keepaliveSeconds: 2 }
    const subscriber = mqttTransport(options).subscriber({ topics: [topic], window: 8 })
    t.after(() => subscriber.close())
    await subscriber.open()
    await publishAll(mqttTransport({ url: mqttUrl() }), numbered(500, topic))
    const first = await take(subscriber, 8)
    // Mosquitto drops a client that is silent for three seconds, MQTT.js a broker that is.
    await delay(7000)
    assert.equal(first[0]?.signal?.aborted, false)
    await subscriber.settle(first, ACCEPT)
    const rest = await take(subscriber, 492, true)
    assert.deepEqual(rest.map(text).at(-1), '499')
    assert.ok(rest.every(({ redelivered }) => !redelivered))
  }
  await Promise.all([waitAndRead(4), waitAndRead(5)])
})

test('the window is kept although Mosquitto sends a resumed session more than it was told', async (t) => {
  const proxy = await proxied(t)
  const [clientId, topic] = [unique('window'), unique('window')]
  const subscriber = mqttTransport({ url: proxy.url, clientId }).subscriber({
    topics: [topic],
    window: WINDOW,
  })
  t.after(() => subscriber.close())
  await subscriber.open()
  await publishAll(mqttTransport({ url: mqttUrl() }), numbered(500, topic))
  await take(subscriber, WINDOW)
  proxy.cut()
  await assert.rejects(() => take(subscriber, WINDOW + 1), UnavailableError)
  await publishAll(mqttTransport({ url: mqttUrl() }), numbered(500, topic))
  let unsettled = 0
  let most = 0
  let seen = 0
  for await (const deliveries of subscriber.deliveries()) {
    unsettled += deliveries.length
    seen += deliveries.length
    most = Math.max(most, unsettled)
    if (seen === 1000) break
    setImmediate(() => {
      unsettled -= deliveries.length
      void subscriber.settle(deliveries, ACCEPT)
    })
  }
  assert.ok(most <= WINDOW, `${most} unsettled at one time`)
})

for (const qos of [1, 2] as const) {
  test(`QoS ${qos} messages that wait for a resumed session all arrive within a small window`, async (t) => {
    const [clientId, topic] = [unique(`qos${qos}`), unique(`qos${qos}`)]
    const subscriber = () =>
      mqttTransport({ url: mqttUrl(), clientId }).subscriber({ topics: [topic], qos, window: 16 })
    const before = subscriber()
    await before.open()
    await before.close()
    const publisher = mqttTransport({ url: mqttUrl() }).publisher({ topic, qos })
    t.after(() => publisher.close())
    const results = await publisher.publish(numbered(300, topic))
    assert.ok(results.every(({ ok }) => ok))
    const after = subscriber()
    t.after(() => after.close())
    const seen = await take(after, 300, true)
    assert.deepEqual(
      seen.map(text),
      Array.from({ length: 300 }, (_, index) => String(index)),
    )
  })
}

test('of two clients of one id that reconnect for ever one stops, with one clear sentence', async (t) => {
  const [clientId, topic] = [unique('twin'), unique('twin')]
  const stopped: unknown[] = []
  async function run(): Promise<void> {
    const subscriber = mqttTransport({ url: mqttUrl(), clientId }).subscriber({ topics: [topic] })
    t.after(() => subscriber.close())
    for (;;) {
      try {
        for await (const deliveries of subscriber.deliveries()) await subscriber.settle(deliveries, ACCEPT)
        return
      } catch (error) {
        if (error instanceof UnavailableError) continue
        stopped.push(error)
        return
      }
    }
  }
  void run()
  void run()
  await eventually(() => assert.equal(stopped.length, 1), { timeoutMs: 30_000 })
  const [error] = stopped
  assert.ok(error instanceof PermanentError && error.code === 'TL_SESSION_TAKEN_OVER')
  assert.match(error.message, new RegExp(`"${clientId}-sub".*give each process a clientId or instance`))
  await publishAll(mqttTransport({ url: mqttUrl() }), numbered(3, topic))
  assert.equal(stopped.length, 1)
})

/** The next `count` deliveries, settled if so asked. */
async function take(subscriber: Subscriber, count: number, settle = false): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const deliveries of subscriber.deliveries()) {
    taken.push(...deliveries)
    if (settle || taken.length > WINDOW) await subscriber.settle(deliveries, ACCEPT)
    if (taken.length >= count) break
  }
  return taken
}
