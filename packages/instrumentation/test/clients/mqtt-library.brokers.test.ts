import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mqtt } from '@throughline/mqtt'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import { MqttInstrumentation } from '../../src/index.ts'
import { connect, mqttUrl, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()

test('the library and MQTT.js itself in one process have one span each for what they send and handle', (t) =>
  withSpans(async (spans) => {
    const topic = uniqueTopic()
    // The class is wrapped before the library has a client.
    const client = await connect(t)
    const broker = mqtt({ url: mqttUrl(), clientId: topic })
    t.after(() => broker.close())
    const seen: string[] = []
    await broker.subscribe({ topics: [topic], raw: true, qos: 1 }, ({ body }) => {
      seen.push(`library ${Buffer.from(body ?? [])}`)
    })
    await client.subscribeAsync(topic, { qos: 1 })
    client.on('message', (_topic, payload) => void seen.push(`client ${payload}`))
    await broker.publisher({ topic, qos: 1 }).publish({ body: Buffer.from('one'), headers: [] })
    await client.publishAsync(topic, 'two', { qos: 1 })
    await eventually(() => assert.equal(seen.length, 4))
    assert.deepEqual(seen.sort(), ['client one', 'client two', 'library one', 'library two'])
    await eventually(() => assert.equal(spans.finished().length, 6))
    const [byLibrary, byInstrumentation] = ['@throughline/core', '@throughline/instrumentation']
    const told = spans
      .finished()
      .map(({ name, instrumentationScope }) => [name.split(' ')[0], instrumentationScope.name])
    assert.deepEqual(
      told.toSorted().map((each) => each.join(' ')),
      [
        `process ${byLibrary}`,
        `process ${byLibrary}`,
        `process ${byInstrumentation}`,
        `process ${byInstrumentation}`,
        `publish ${byLibrary}`,
        `publish ${byInstrumentation}`,
      ],
    )
    for (const published of spans.named(`publish ${topic}`)) {
      const children = spans
        .named(`process ${topic}`)
        .filter((span) => span.parentSpanContext?.spanId === published.spanContext().spanId)
      assert.equal(children.length, 2)
    }
  }))
