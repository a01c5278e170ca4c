import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type { MqttClient } from 'mqtt'
import { MqttInstrumentation } from '../../src/index.ts'
import { connect, OMIT, PROCESS, PUBLISH, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()
const tracer = trace.getTracer('application')
const program = fileURLToPath(new URL('../support/mqtt-beside-another.ts', import.meta.url))

describe('MQTT.js beside what else traces it', () => {
  for (const order of ['first', 'second']) {
    test(`another instrumentation, loaded ${order}: ours steps back with one warning, each message has one span and one context`, async () => {
      const args = ['--conditions=@throughline/source', program, order]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
      assert.deepEqual(JSON.parse(stdout), {
        spans: ['publish', 'process', 'publish', 'process'].map((each) => `another: topic ${each}`),
        carried: [[['traceparent', 'string']], [['traceparent', 'string']]],
        warnings: 1,
      })
    })
  }

  test('an application that wraps the listeners of one client to bind contexts is traced', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const { on } = client
      const wrapped = (...given: Parameters<typeof on>) => on.apply(client, given)
      // As shimmer leaves it.
      const marks = { __wrapped: true, __original: on, __unwrap: () => {} }
      client.on = Object.assign(wrapped, marks) as typeof on
      client.on('message', () => {})
      await client.subscribeAsync(topic, { qos: 1 })
      await client.publishAsync(topic, 'hello', { qos: 1 })
      await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 1))
    }))

  test('what an application’s own wrapper writes stays, once, and the send below it is linked', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const publish = client.publishAsync.bind(client)
      const traced: MqttClient['publishAsync'] = (of: string, payload: string | Buffer) =>
        tracer.startActiveSpan(`send ${of}`, { kind: SpanKind.PRODUCER }, async (span) => {
          const userProperties = {}
          propagation.inject(context.active(), userProperties)
          try {
            return await publish(of, payload, { qos: 1, properties: { userProperties } })
          } finally {
            span.end()
          }
        })
      client.publishAsync = traced
      const carried: unknown[] = []
      client.on('message', (_topic, _payload, { properties }) => {
        carried.push({ ...properties?.userProperties })
        const arrived = propagation.extract(context.active(), properties?.userProperties)
        tracer.startSpan(`receive ${topic}`, { kind: SpanKind.CONSUMER }, arrived).end()
      })
      await client.subscribeAsync(topic, { qos: 1 })
      await client.publishAsync(topic, 'hello')
      await eventually(() => assert.equal(spans.finished().length, 4))
      const [own] = spans.finished()
      const { traceId, spanId } = own?.spanContext() ?? {}
      assert.deepEqual(carried, [{ traceparent: `00-${traceId}-${spanId}-01` }])
      const send = `send ${topic}`
      const quality = {
        'messaging.destination.name': topic,
        'messaging.mqtt.qos': 1,
        'messaging.mqtt.retain': false,
      }
      const below = { trace: 1, parent: send }
      assert.deepEqual(spans.tree({ omit: OMIT }), [
        {
          name: send,
          kind: 'PRODUCER',
          trace: 1,
          parent: null,
          children: [
            {
              name: `publish ${topic}`,
              kind: 'CLIENT',
              ...below,
              links: [{ to: send }],
              attributes: { ...PUBLISH, ...quality },
            },
            {
              name: `process ${topic}`,
              kind: 'CONSUMER',
              ...below,
              links: [{ to: send }],
              attributes: { ...PROCESS, ...quality, 'throughline.outcome': 'accept' },
            },
            { name: `receive ${topic}`, kind: 'CONSUMER', ...below },
          ],
        },
      ])
    }))
})
