import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { propagation, trace } from '@opentelemetry/api'
import { markTraced } from '@throughline/core'
import { eventually, recordSpans } from '@throughline/testkit'
import type { ClientInstrumentationConfig } from '../../src/index.ts'
import { platformaticKafka } from '../support/carriers/platformatic-kafka.ts'
import {
  client,
  closed,
  consume,
  createTopics,
  loadPlatformaticKafka,
  textConsumer,
  textProducer,
} from '../support/platformatic-kafka.ts'
import { unlisted } from '../support/unlisted.ts'

// What all clients have in common is tested for it too: *-every-client.brokers.test.ts.
const { instrumentation } = platformaticKafka
const recorder = recordSpans()

/** Options of clients that are made from now on, until the test's end. */
async function start(t: TestContext, config: ClientInstrumentationConfig = {}) {
  instrumentation.setConfig(config)
  t.after(() => instrumentation.setConfig({}))
  const [topic = ''] = await createTopics(t)
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  return topic
}

/** Sends a text and hands it to a listener. */
async function roundTrip(t: TestContext, topic: string) {
  await textProducer(t).send({ messages: [{ topic, value: 'one', headers: { tenant: 'a' } }] })
  const seen: string[] = []
  const stream = await consume(textConsumer(t), [topic])
  stream.on('data', ({ value }) => void seen.push(value))
  await eventually(() => assert.deepEqual(seen, ['one']), { timeoutMs: 30_000 })
  await stream.close()
}

test('bodies are captured where they are text or bytes, and of no values of the application', async (t) => {
  const topic = await start(t, { capture: { bodySize: true, bodyChars: 10, headers: ['tenant'] } })
  await roundTrip(t, topic)
  const { Producer, Consumer, serializersFrom, deserializersFrom, jsonSerializer, jsonDeserializer } =
    loadPlatformaticKafka()
  const json = closed(t, new Producer({ ...client, serializers: serializersFrom(jsonSerializer) }))
  await json.send({
    messages: [
      { topic, key: 'a', value: { id: 1 } },
      { topic, key: 'a', value: null },
    ],
  })
  const deserializers = deserializersFrom(jsonDeserializer)
  const consumer = new Consumer({ ...client, groupId: `json-${topic}`, deserializers })
  t.after(() => consumer.close(true))
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'manual',
    offsets: [{ topic, partition: 0, offset: 1n }],
    maxWaitTime: 100,
  })
  stream.on('data', () => {})
  await eventually(() => assert.equal(recorder.named(`process ${topic}`).length, 3), { timeoutMs: 30_000 })
  const told = (name: string) =>
    recorder
      .named(name)
      .map(({ attributes }) => [
        attributes['messaging.message.body.size'],
        attributes['throughline.message.body'],
        attributes['messaging.kafka.message.tombstone'],
      ])
  const nothing = [undefined, undefined, undefined]
  assert.deepEqual(told(`send ${topic}`)[0], [3, 'one', undefined])
  assert.deepEqual(told(`create ${topic}`), [nothing, nothing])
  assert.deepEqual(told(`process ${topic}`), [[3, 'one', undefined], nothing, nothing])
})

test('clients of the library are left alone', async (t) => {
  const topic = await start(t)
  const producer = markTraced(textProducer(t))
  await producer.send({ messages: [{ topic, value: 'one' }] })
  const stream = await consume(markTraced(textConsumer(t)), [topic])
  for await (const { headers } of stream) {
    assert.deepEqual([...headers.keys()], [])
    break
  }
  assert.deepEqual(recorder.finished(), [])
})

const fail = (): never => {
  throw new Error('injected')
}
const faults: Readonly<Record<string, () => () => void>> = {
  'the hooks': () => {
    instrumentation.setConfig({ producerHook: fail, consumerHook: fail, template: fail })
    return () => instrumentation.setConfig({})
  },
  'the tracer': () => {
    const tracer = trace.getTracer('failing')
    instrumentation.setTracerProvider({
      getTracer: () => Object.assign(Object.create(tracer), { startSpan: fail }),
    })
    return () => instrumentation.setTracerProvider(recorder.tracerProvider)
  },
  'the propagator': () => {
    propagation.disable()
    propagation.setGlobalPropagator({ inject: fail, extract: fail, fields: () => ['traceparent'] })
    return () => {
      propagation.disable()
      propagation.setGlobalPropagator(recorder.propagator)
    }
  },
}
for (const [what, inject] of Object.entries(faults)) {
  test(`a loop does not notice a fault in ${what}`, async (t) => {
    const topic = await start(t)
    t.after(inject())
    await textProducer(t).send({ messages: [{ topic, value: 'one' }] })
    const values: string[] = []
    for await (const { value } of await consume(textConsumer(t), [topic])) {
      values.push(value)
      break
    }
    assert.deepEqual(values, ['one'])
  })
}

test('a callback is called in the context in which its messages were sent', async (t) => {
  const topic = await start(t)
  const producer = textProducer(t)
  const within = (name: string) =>
    trace.getTracer('application').startActiveSpan(name, (span) => {
      span.end()
      const { promise, resolve } = Promise.withResolvers<boolean>()
      producer.send({ messages: [{ topic, value: 'one' }] }, () => resolve(trace.getActiveSpan() === span))
      return promise
    })
  assert.deepEqual([await within('connecting'), await within('connected')], [true, true])
})

test('what cannot be copied is sent as it is, and its span ends', async (t) => {
  const topic = await start(t)
  const producer = textProducer(t)
  const messages = [unlisted({ topic, value: 'one' })]
  await producer.send({ messages })
  await producer.send(unlisted({ messages: [{ topic, value: 'two' }] }))
  assert.equal(recorder.finished().length, 2)
})

test('disabled, it traces nothing more of a loop that has begun', async (t) => {
  const topic = await start(t)
  const producer = textProducer(t)
  const stream = await consume(textConsumer(t), [topic])
  const iterator = stream[Symbol.asyncIterator]()
  instrumentation.disable()
  t.after(() => instrumentation.enable())
  await producer.send({ messages: [{ topic, value: 'one' }] })
  assert.equal((await iterator.next()).value?.value, 'one')
  await iterator.return?.()
  assert.deepEqual(recorder.finished(), [])
})
