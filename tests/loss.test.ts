import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, otlpSink, tcpProxy } from '@throughline/testkit'
import { brokers, createPipeline, type Pipeline } from './support/pipeline.ts'

const COUNT = 2000
const RATE = ['--count', String(COUNT), '--rate', '400']

/** Ids that the station had answered 2xx and that the device has not handled. */
function missing(pipeline: Pipeline): readonly string[] {
  const handled = new Set(pipeline.printed('device'))
  return pipeline.printed('station').filter((id) => !handled.has(id))
}

async function allArrive(pipeline: Pipeline): Promise<void> {
  assert.equal(pipeline.printed('station').length, COUNT, 'the station had every reading answered 2xx')
  await eventually(() => assert.equal(missing(pipeline).length, 0), { timeoutMs: 60_000, intervalMs: 100 })
  const times = Map.groupBy(pipeline.printed('device'), (id) => id)
  assert.equal(times.size, COUNT)
}

const handled = (pipeline: Pipeline, count: number) =>
  eventually(() => assert.ok(pipeline.printed('device').length >= count), { timeoutMs: 60_000 })

async function holdsPort(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => null)
  return response?.status === 200
}

describe(`of ${COUNT} readings that were answered 2xx every one arrives at the device`, () => {
  test('when the forwarder is killed by SIGKILL in the middle and started again', {
    timeout: 240_000,
  }, async () => {
    await using sink = await otlpSink()
    await using pipeline = await createPipeline({ otlpUrl: sink.url })
    for (const name of ['echo', 'device', 'webhook'] as const) await pipeline.start(name)
    const forwarder = await pipeline.start('forwarder')
    const station = await pipeline.start('station', RATE)
    await handled(pipeline, COUNT / 4)

    const { forwarderAdminPort } = pipeline.addresses
    assert.equal(await holdsPort(forwarderAdminPort), true)
    process.kill(forwarder.pid, 'SIGKILL')
    assert.deepEqual(await forwarder.exited, { code: null, signal: 'SIGKILL' })
    assert.equal(
      await holdsPort(forwarderAdminPort),
      false,
      'the process that was killed is the one that forwarded',
    )
    assert.ok(missing(pipeline).length > 0, 'it was killed in the middle')

    await pipeline.start('forwarder')
    await station.exited
    await allArrive(pipeline)
  })

  test("when the forwarder's connection to the MQTT broker is cut in the middle", {
    timeout: 240_000,
  }, async () => {
    await using sink = await otlpSink()
    await using proxy = await tcpProxy({ target: new URL(brokers().mqttUrl).host })
    await using pipeline = await createPipeline({ otlpUrl: sink.url })
    for (const name of ['echo', 'device', 'webhook'] as const) await pipeline.start(name)
    await pipeline.start('forwarder', [], { MQTT_URL: `mqtt://${proxy.address}` })
    const station = await pipeline.start('station', RATE)
    for (const share of [0.2, 0.4, 0.6]) {
      await handled(pipeline, COUNT * share)
      assert.ok(proxy.connections > 0)
      proxy.cut()
    }
    await station.exited
    await allArrive(pipeline)
  })
})
