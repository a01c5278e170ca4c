import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type { IPublishPacket } from 'mqtt'
import { MqttInstrumentation } from '../../src/index.ts'
import { connect, OMIT, PROCESS, PUBLISH, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()

describe('MQTT.js over MQTT 3.1.1', () => {
  test('has spans, a trace on each side of the broker, and one warning a server of what it cannot carry', async (t) => {
    const warnings: Error[] = []
    const warned = (warning: Error) => void (warning.name === 'ThroughlineWarning' && warnings.push(warning))
    process.on('warning', warned)
    t.after(() => process.off('warning', warned))
    await withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t, { protocolVersion: 4 })
      const another = await connect(t, { protocolVersion: 4 })
      await client.subscribeAsync(topic, { qos: 1 })
      const packets: IPublishPacket[] = []
      client.on('message', (_topic, _payload, packet) => void packets.push(packet))
      const options = Object.freeze({ qos: 1 as const })
      await client.publishAsync(topic, 'one', options)
      await another.publishAsync(topic, 'two', options)
      await eventually(() => assert.equal(spans.finished().length, 4))
      assert.deepEqual(
        packets.map(({ payload, properties }) => [String(payload), properties]),
        [
          ['one', undefined],
          ['two', undefined],
        ],
      )
      const common = {
        'messaging.destination.name': topic,
        'messaging.mqtt.qos': 1,
        'messaging.mqtt.retain': false,
      }
      const published = { name: `publish ${topic}`, kind: 'PRODUCER', parent: null }
      const processed = { name: `process ${topic}`, kind: 'CONSUMER', parent: null }
      const missing = { 'throughline.missing_context': true, 'mqtt.missing_context': true }
      const nodes = spans.tree({ omit: OMIT }).map(({ trace: _, ...node }) => node)
      const publishing = { ...published, attributes: { ...PUBLISH, ...common } }
      const processing = {
        ...processed,
        attributes: { ...PROCESS, ...common, ...missing, 'throughline.outcome': 'accept' },
      }
      assert.deepEqual(
        nodes.filter(({ kind }) => kind === 'PRODUCER'),
        [publishing, publishing],
      )
      assert.deepEqual(
        nodes.filter(({ kind }) => kind === 'CONSUMER'),
        [processing, processing],
      )
      assert.equal(new Set(spans.finished().map((span) => span.spanContext().traceId)).size, 4)
    })
    await eventually(() => assert.equal(warnings.length, 1))
    assert.match(warnings[0]?.message ?? '', /^MQTT\.js speaks MQTT 3\.1\.1 with 127\.0\.0\.1:\d+, /)
  })
})
