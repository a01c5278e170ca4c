import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { fetchJourney } from '@throughline/cli/client'
import { eventually } from '@throughline/testkit'
import { type Demo, startDemo } from './support/demo.ts'

/** The address of the page and of the webhook, once everything runs. */
async function running(demo: Demo): Promise<{ page: string; webhook: string }> {
  return eventually(
    () => {
      const page = /^page +(http:\S+)$/m.exec(demo.stdout())?.[1]
      const webhook = /curl -i (http:\S+)/.exec(demo.stdout())?.[1]
      assert.ok(page && webhook && demo.child.exitCode === null, `${demo.stdout()}${demo.stderr()}`)
      return { page, webhook }
    },
    { timeoutMs: 120_000, intervalMs: 100 },
  )
}

const ofOrder = [
  'http station → webhook',
  'kafka webhook → forwarder',
  'mqtt forwarder → device',
  'http device → echo',
]

describe('the demo', { timeout: 600_000 }, () => {
  test('ends after the first journey with --once, and --json is the last line of stdout', async () => {
    await using demo = startDemo('--once', '--json')
    assert.equal(await demo.ended, 0, demo.stderr())
    const lines = demo.stdout().trimEnd().split('\n')
    assert.equal(lines.length, 1, 'everything else goes to stderr')
    const journey = JSON.parse(lines[0] ?? '')
    const hops: { transport: string; from: string; to: string; queueMs: unknown }[] = journey.hops
    assert.deepEqual(
      hops.map(({ transport, from, to }) => `${transport} ${from} → ${to}`),
      ofOrder,
    )
    for (const { transport, queueMs } of hops)
      assert.equal(typeof queueMs, 'number', `${transport} has a queue time`)
    assert.equal(journey.spans, 8)
    assert.deepEqual(journey.services, ['station', 'webhook', 'forwarder', 'device', 'echo'])
    assert.match(journey.traceId, /^[0-9a-f]{32}$/)
    assert.match(journey.eventId, /^[0-9a-f-]{36}$/)
    assert.deepEqual(journey.missing, [])
    assert.match(demo.stderr(), /\n {2}HTTP {3}station {3}→ webhook .*\n {2}Kafka {2}webhook {3}→ forwarder/)
    assert.match(demo.stderr(), /8 spans · 1 trace · nothing missing/)
    assert.deepEqual(demo.processes(), [], 'nothing that it started runs on')
  })

  test('fails with --once and names the missing hop where the forwarder exports no spans', async () => {
    await using demo = startDemo('--once', '--json', '--wait', '5', '--without-exporter', 'forwarder')
    assert.equal(await demo.ended, 1, demo.stderr())
    const { missing, services } = JSON.parse(demo.stdout().trimEnd())
    assert.deepEqual(
      services,
      ['station', 'webhook', 'device', 'echo'],
      'the event went its way all the same',
    )
    assert.match(missing[0], /^Kafka webhook → forwarder \(no span of forwarder was received\)$/)
    assert.match(missing[1], /^MQTT forwarder → device/)
    assert.match(demo.stderr(), /missing after 5 s: Kafka webhook → forwarder/)
    assert.deepEqual(demo.processes(), [])
  })

  test('with orders answers what happened to order 4711: fan-out, retry, batch, RabbitMQ, and the same after a replay', async () => {
    await using demo = startDemo('orders', '--once', '--json', '--wait', '60')
    assert.equal(await demo.ended, 0, demo.stderr())
    const [reading, order, replayed, ...others] = demo
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(others, [])
    assert.equal(reading.spans, 8)
    assert.equal(order.eventId, 'order-4711')
    const hopsOf = ({ hops }: { hops: { transport: string; from: string; to: string }[] }) =>
      hops.map(({ transport, from, to }) => `${transport} ${from} → ${to}`).toSorted()
    const first = [
      'http customer → order',
      'kafka order → analytics',
      'kafka order → inventory',
      'kafka order → notification',
      'kafka order → payment',
      'rabbitmq payment → shipping',
    ]
    assert.deepEqual(hopsOf(order), first)
    const again = first
      .filter((hop) => !hop.startsWith('http'))
      .map((hop) => hop.replace('order →', 'replay →'))
    assert.deepEqual(hopsOf(replayed), [...first, ...again].toSorted())
    assert.match(demo.stderr(), /order +→ notification .* 3 attempts\n/)
    assert.match(demo.stderr(), /order +→ analytics .* in a batch of \d+\n/)
    assert.deepEqual(demo.processes(), [])
  })

  test('goes on until Ctrl-C; a plain curl is seen as an unknown publisher without context', async () => {
    await using demo = startDemo()
    const { page, webhook } = await running(demo)
    const id = randomUUID()
    const event = {
      specversion: '1.0',
      id,
      source: '/curl',
      type: 'com.example.sensor.reading',
      subject: 'sensor-007',
    }
    const headers = { 'content-type': 'application/cloudevents+json' }
    const answer = await fetch(webhook, { method: 'POST', headers, body: JSON.stringify(event) })
    assert.equal(answer.status, 204)
    await eventually(
      async () => {
        const journey = await fetchJourney({ url: page }, id)
        assert.ok(journey)
        const [first, ...others] = journey.hops
        assert.deepEqual([first?.from, first?.to], [null, 'webhook'])
        assert.equal(others.length, 3, 'the journey is otherwise whole')
        assert.ok(journey.findings.some(({ code }) => code === 'no-context'))
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    )
    demo.child.kill('SIGINT')
    assert.equal(await demo.ended, 0, demo.stderr())
    assert.deepEqual(demo.processes(), [])
  })

  test('reports a service that dies with its last lines, and ends everything else', async () => {
    await using demo = startDemo()
    await running(demo)
    process.kill(demo.processOf('device.ts'), 'SIGKILL')
    assert.equal(await demo.ended, 1)
    assert.match(demo.stdout(), /throughline: device was ended by SIGKILL; its last lines:\n {4}/)
    assert.deepEqual(demo.processes(), [])
  })

  test('leaves nothing running where it is killed itself', async () => {
    await using demo = startDemo()
    await running(demo)
    demo.child.kill('SIGKILL')
    await demo.ended
    await eventually(() => assert.deepEqual(demo.processes(), []), { timeoutMs: 30_000, intervalMs: 100 })
  })
})
