import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Span } from '@opentelemetry/api'
import { eventually, type MetricSeries, recordMetrics, recordSpans, withSpans } from '@throughline/testkit'
import type { IPublishPacket } from 'mqtt'
import { MqttInstrumentation } from '../../src/index.ts'
import type { ClientInstrumentationConfig, MessageInfo } from '../../src/options.ts'
import { connect, uniqueTopic } from '../support/mqtt.ts'

const recorder = recordSpans()
const instrumentation = new MqttInstrumentation()

/** Publishes one message to each topic and handles it, with these options; what arrived. */
async function roundTrip(
  t: TestContext,
  config: ClientInstrumentationConfig,
  topics: readonly string[],
): Promise<readonly IPublishPacket[]> {
  instrumentation.setConfig(config)
  t.after(() => instrumentation.setConfig({}))
  const client = await connect(t)
  await client.subscribeAsync([...topics], { qos: 1 })
  const packets: IPublishPacket[] = []
  client.on('message', (_topic, _payload, packet) => void packets.push(packet))
  for (const topic of topics) {
    const properties = { userProperties: { tenant: 'a' } }
    await client.publishAsync(topic, 'hello', { qos: 1, properties })
  }
  await eventually(() => assert.equal(packets.length, topics.length))
  return packets
}

const names = () => recorder.finished().map(({ name }) => name)

describe('options of the instrumentation of MQTT.js', () => {
  test('a template names spans, and stands in the metrics in place of topics', async (t) => {
    const base = uniqueTopic()
    const metrics = recordMetrics()
    t.after(() => metrics.stop())
    const topics = [1, 2, 3].map((id) => `${base}/${id}/reading`)
    const name = `${base}/{id}/reading`
    await withSpans(async () => {
      await roundTrip(t, { template: (topic) => (topic.startsWith(base) ? name : undefined) }, topics)
      assert.deepEqual(
        names(),
        topics.flatMap(() => [`publish ${name}`, `process ${name}`]),
      )
    })
    const series = await metrics.series()
    for (const [metric, operation] of [
      ['messaging.client.sent.messages', 'publish'],
      ['messaging.client.operation.duration', 'publish'],
      ['messaging.client.consumed.messages', 'process'],
      ['messaging.process.duration', 'process'],
      ['throughline.queue.duration', 'process'],
    ]) {
      const [only, ...others] = series.filter((each) => each.name === metric)
      assert.deepEqual(others, [])
      assert.equal(only?.count, 3)
      assert.equal(only?.attributes['messaging.operation.name'], operation)
      assert.equal(only?.attributes['messaging.destination.template'], name)
    }
  })

  test('without a template metrics name no topic but one that was subscribed to, by itself or by a pattern', async (t) => {
    for (const [filters, named] of [
      [
        ['1', '2'],
        [{ 'messaging.destination.name': '1' }, { 'messaging.destination.name': '2' }],
      ],
      [['+'], [{ 'messaging.destination.template': '+' }]],
      [['+', '#'], [{}]],
    ] as const) {
      const base = uniqueTopic()
      const metrics = recordMetrics()
      try {
        const client = await connect(t)
        await client.subscribeAsync(filters.map((filter) => `${base}/${filter}`))
        // Where filters overlap a broker may send a message once, or once for each of them.
        const seen = new Set<string>()
        client.on('message', (topic) => void seen.add(topic))
        for (const id of [1, 2]) await client.publishAsync(`${base}/${id}`, 'hello')
        await eventually(() => assert.equal(seen.size, 2))
        assert.deepEqual(destinationsOf(await metrics.series('messaging.client.sent.messages')), [{}])
        assert.deepEqual(
          destinationsOf(await metrics.series('messaging.client.consumed.messages')),
          named.map((attributes) =>
            Object.fromEntries(Object.entries(attributes).map(([name, text]) => [name, `${base}/${text}`])),
          ),
        )
      } finally {
        await metrics.stop()
      }
    }
  })

  test('hooks get the spans, and what the application or MQTT.js made', (t) =>
    withSpans(async () => {
      const topic = uniqueTopic()
      const told: [string, MessageInfo][] = []
      const hook = (name: string) => (span: Span, info: MessageInfo) => {
        span.setAttribute('hook', name)
        told.push([name, info])
      }
      const [packet] = await roundTrip(
        t,
        { producerHook: hook('producer'), consumerHook: hook('consumer') },
        [topic],
      )
      assert.deepEqual(
        recorder.finished().map(({ attributes }) => attributes.hook),
        ['producer', 'consumer'],
      )
      const options = { qos: 1, properties: { userProperties: { tenant: 'a' } } }
      assert.deepEqual(told, [
        ['producer', { destination: topic, message: { topic, payload: 'hello', options } }],
        ['consumer', { destination: topic, message: packet }],
      ])
    }))
})

/** What each series tells of destinations. */
function destinationsOf(series: readonly MetricSeries[]): object[] {
  return series.map(({ attributes }) =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => name.includes('.destination.'))),
  )
}
