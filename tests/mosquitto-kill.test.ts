import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Message } from '@throughline/core'
import { mqttTransport } from '@throughline/mqtt'
import { eventually } from '@throughline/testkit'
import { mosquitto } from '../scripts/brokers/mosquitto.ts'
import { freePorts } from '../scripts/brokers/ports.ts'
import { end, launch } from '../scripts/brokers/process.ts'
import type { ProcessIdentity } from '../scripts/brokers/state.ts'

const COUNT = 2000

/** Mosquitto that writes its file at every change, not only at its end and every 30 minutes. */
async function savingMosquitto(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'throughline-mosquitto-'))
  const [port = 0] = await freePorts(1)
  const spec = mosquitto.prepare(dir, [port])
  await appendFile(join(dir, 'mosquitto.conf'), 'autosave_on_changes true\nautosave_interval 1\n')
  let running: ProcessIdentity | null = null
  async function start(): Promise<void> {
    running = launch(spec)
    await eventually(async () => assert.ok(await mosquitto.isReady(port)), { timeoutMs: 30_000 })
  }
  async function kill(): Promise<void> {
    if (running !== null) await end(running, 'SIGKILL')
    running = null
  }
  t.after(async () => {
    await kill()
    await rm(dir, { recursive: true })
  })
  return { url: mosquitto.address(port), file: join(dir, 'data/mosquitto.db'), start, kill }
}

test('what Mosquitto has saved outlives its kill -9: 2,000 messages for a session that is away', async (t) => {
  const broker = await savingMosquitto(t)
  await broker.start()
  const topic = 'readings'
  const transport = mqttTransport({ url: broker.url, clientId: 'survivor' })
  const before = transport.subscriber({ topics: [topic] })
  await before.open()
  await before.close()

  const publisher = transport.publisher({ topic })
  const bodies = Array.from({ length: COUNT }, (_, index) => `reading ${index} of ${COUNT}`)
  const results = await publisher.publish(
    bodies.map((body): Message => ({ body: Buffer.from(body), headers: [] })),
  )
  assert.ok(results.every(({ ok }) => ok))
  await publisher.close()
  // Confirmed is not saved: Mosquitto answers first, and what it had not written yet would be lost.
  await eventually(
    async () => {
      const saved = await readFile(broker.file)
      assert.ok(bodies.every((body) => saved.includes(body)))
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  )
  await broker.kill()
  await broker.start()

  const after = transport.subscriber({ topics: [topic] })
  t.after(() => after.close())
  const seen = new Set<string>()
  for await (const deliveries of after.deliveries()) {
    for (const { message } of deliveries) seen.add(Buffer.from(message.body ?? []).toString())
    await after.settle(deliveries, { outcome: 'accept' })
    if (seen.size === COUNT) break
  }
  assert.deepEqual([...seen], bodies)
})
