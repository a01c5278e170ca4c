import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { propagation } from '@opentelemetry/api'
import { eventually, recordSpans } from '@throughline/testkit'
import { ConfluentKafkaInstrumentation } from '../src/index.ts'
import type { ClientInstrumentationConfig } from '../src/options.ts'
import { consume, loadConfluentKafka, needsClient, type Options, setUp } from './support/confluent-kafka.ts'
import { brokers } from './support/kafkajs.ts'

// Its hooks are there when the client is loaded, and it is off: what is seen first is the client's own.
const instrumentation = new ConfluentKafkaInstrumentation()
instrumentation.disable()
const recorder = recordSpans()

const fault = (): never => {
  throw new Error('injected')
}

const methods = () => {
  const { Kafka } = loadConfluentKafka().KafkaJS
  return [Kafka, Kafka.prototype.producer, Kafka.prototype.consumer, Kafka.prototype.constructor]
}

/** One message that is sent and handled, by clients made with these options. */
async function sendAndHandle(
  t: TestContext,
  config: ClientInstrumentationConfig,
  { finished = 2, common = {}, own = {} }: { finished?: number; common?: Options; own?: Options } = {},
) {
  instrumentation.setConfig(config)
  const { kafka, producer, topic, group } = await setUp(t, common)
  recorder.reset()
  await producer.send({ topic, messages: [{ value: 'one', headers: { tenant: 'a' } }] })
  const seen: string[][] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    options: own,
    eachMessage: async ({ message }) => void seen.push(Object.keys(message.headers ?? {})),
  })
  await eventually(() => assert.equal(seen.length, 1), { timeoutMs: 30_000 })
  await eventually(() => assert.equal(recorder.finished().length, finished))
  recorder.assertNoLeaks()
  const [send, process] = recorder.finished()
  return { topic, group, headers: seen[0] ?? [], send, process }
}

test('disabled, the client is what it was; enabled again, it is traced again', needsClient, async (t) => {
  const originals = methods()
  instrumentation.enable()
  assert.notDeepEqual(methods(), originals)
  const { topic, producer } = await setUp(t)
  instrumentation.disable()
  recorder.reset()
  assert.deepEqual(methods(), originals)
  // A producer that was made before runs alone.
  await producer.send({ topic, messages: [{ value: 'one' }] })
  assert.deepEqual(recorder.finished(), [])
  instrumentation.enable()
  await producer.send({ topic, messages: [{ value: 'two' }] })
  assert.equal(recorder.finished().length, 1)
})

test("of options in both vocabularies librdkafka's count, as for the client", needsClient, async (t) => {
  const [server] = brokers()
  const common = { 'client.id': 'librdkafka', 'bootstrap.servers': `${server},127.0.0.1:1` }
  const { group, send, process } = await sendAndHandle(t, {}, { common, own: { 'client.id': 'own' } })
  assert.equal(send?.attributes['messaging.client.id'], 'librdkafka')
  assert.equal(process?.attributes['messaging.client.id'], 'own')
  assert.equal(process?.attributes['messaging.consumer.group.name'], group)
  for (const span of [send, process]) {
    assert.equal(`${span?.attributes['server.address']}:${span?.attributes['server.port']}`, server)
  }
})

test(
  'a topic that is ignored is left alone, and with propagate `none` nothing is written',
  needsClient,
  async (t) => {
    const ignored = await sendAndHandle(t, { ignore: [/^confluent-/] }, { finished: 0 })
    assert.deepEqual(ignored.headers, ['tenant'])
    const { headers, process } = await sendAndHandle(t, { propagate: 'none' })
    assert.deepEqual(headers, ['tenant'])
    assert.equal(process?.attributes['throughline.missing_context'], true)
  },
)

test('hooks, templates, propagators and tracers that throw are not noticed', needsClient, async (t) => {
  const config = { producerHook: fault, consumerHook: fault, template: fault }
  const { topic, send, process } = await sendAndHandle(t, config)
  assert.deepEqual([send?.name, process?.name], [`send ${topic}`, `process ${topic}`])
  propagation.disable()
  propagation.setGlobalPropagator({ inject: fault, extract: fault, fields: () => [] })
  t.after(() => {
    propagation.disable()
    propagation.setGlobalPropagator(recorder.propagator)
  })
  assert.deepEqual((await sendAndHandle(t, {}, { finished: 1 })).headers, ['tenant'])
  instrumentation.setTracerProvider({ getTracer: () => ({ startSpan: fault, startActiveSpan: fault }) })
  t.after(() => instrumentation.setTracerProvider(recorder.tracerProvider))
  assert.deepEqual((await sendAndHandle(t, {}, { finished: 0 })).headers, ['tenant'])
})
