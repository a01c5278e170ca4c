import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import { markTraced } from '@throughline/core'
import { eventually, recordMetrics, recordSpans } from '@throughline/testkit'
import { type ClientInstrumentationConfig, PlatformaticKafkaInstrumentation } from '../src/index.ts'
import {
  client,
  closed,
  consume,
  createTopics,
  loadPlatformaticKafka,
  readBytes,
  textConsumer,
  textProducer,
} from './support/platformatic-kafka.ts'

const { Producer, ProducerStream, MessagesStream, jsonSerializers, jsonDeserializers } = withoutOurs()
const METHODS = [
  [Producer.prototype, ['send']],
  [ProducerStream.prototype, ['write', 'end']],
  [MessagesStream.prototype, ['emit', 'pipe', 'read', 'iterator', Symbol.asyncIterator]],
] as const
const originals = methods()

const instrumentation = new PlatformaticKafkaInstrumentation()
loadPlatformaticKafka()
const recorder = recordSpans()
const metrics = recordMetrics()
after(() => metrics.stop())

function withoutOurs() {
  const { serializersFrom, deserializersFrom, jsonSerializer, jsonDeserializer, ...kafka } =
    loadPlatformaticKafka()
  return {
    ...kafka,
    jsonSerializers: serializersFrom(jsonSerializer),
    jsonDeserializers: deserializersFrom(jsonDeserializer),
  }
}

function methods() {
  return METHODS.flatMap(([prototype, names]) => names.map((name) => Reflect.get(prototype, name)))
}

/** Options of clients that are made from now on, until the test's end. */
async function start(t: TestContext, config: ClientInstrumentationConfig = {}) {
  instrumentation.setConfig(config)
  t.after(() => instrumentation.setConfig({}))
  const [topic = ''] = await createTopics(t)
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  return topic
}

/** Sends a text and hands it to a listener; what the listener saw. */
async function roundTrip(t: TestContext, topic: string) {
  await textProducer(t).send({ messages: [{ topic, value: 'one', headers: { tenant: 'a' } }] })
  const seen: { value: string; context: ReturnType<typeof context.active> }[] = []
  const stream = await consume(textConsumer(t), [topic])
  stream.on('data', ({ value }) => void seen.push({ value, context: context.active() }))
  const [first] = await eventually(
    () => {
      assert.equal(seen.length, 1)
      return seen
    },
    { timeoutMs: 30_000 },
  )
  await stream.close()
  assert.equal(first?.value, 'one')
  return first
}

test('an unsampled trace and its baggage are carried on, and counted', async (t) => {
  const topic = await start(t)
  const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
  const unsampled = trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: TraceFlags.NONE })
  const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
  const { context: seen } = await context.with(propagation.setBaggage(unsampled, baggage), () =>
    roundTrip(t, topic),
  )
  const span = trace.getSpanContext(seen)
  assert.deepEqual(
    [span?.traceId, span?.traceFlags, propagation.getBaggage(seen)?.getEntry('tenant')?.value],
    [parent.traceId, TraceFlags.NONE, 'a'],
  )
  assert.deepEqual(recorder.finished(), [])
  const counted = async (name: string) => {
    const series = await metrics.series(name)
    return series.find(({ attributes }) => attributes['messaging.destination.name'] === topic)?.count
  }
  await eventually(async () => {
    for (const name of [
      'messaging.client.sent.messages',
      'messaging.client.operation.duration',
      'messaging.client.consumed.messages',
      'messaging.process.duration',
      'throughline.queue.duration',
    ]) {
      assert.equal(await counted(name), 1, name)
    }
  })
})

test('a topic that is ignored is left alone', async (t) => {
  const topic = await start(t, { ignore: [/^platformatic-/] })
  await roundTrip(t, topic)
  assert.deepEqual(recorder.finished(), [])
  const [message] = await readBytes(t, topic, 1)
  assert.deepEqual([...(message?.headers.keys() ?? [])], ['tenant'])
})

test('a template names spans, and links stand in place of parents where they are wanted', async (t) => {
  const topic = await start(t, { template: () => 'platformatic-{id}', linkage: 'link' })
  await roundTrip(t, topic)
  const [send] = recorder.named('send platformatic-{id}')
  const [process] = recorder.named('process platformatic-{id}')
  assert.equal(process?.parentSpanContext, undefined)
  assert.deepEqual(
    process?.links.map((link) => link.context.spanId),
    [send?.spanContext().spanId],
  )
})

test('nothing is written into messages where nothing is to be', async (t) => {
  const topic = await start(t, { propagate: 'none' })
  await roundTrip(t, topic)
  const [process] = recorder.named(`process ${topic}`)
  assert.equal(process?.attributes['throughline.missing_context'], true)
  const [message] = await readBytes(t, topic, 1)
  assert.equal(message?.headers.has('traceparent'), false)
})

test('bodies are captured where they are text or bytes, and of no values of the application', async (t) => {
  const topic = await start(t, { capture: { bodySize: true, bodyChars: 10, headers: ['tenant'] } })
  await roundTrip(t, topic)
  const json = closed(t, new Producer({ ...client, serializers: jsonSerializers }))
  await json.send({
    messages: [
      { topic, key: 'a', value: { id: 1 } },
      { topic, key: 'a', value: null },
    ],
  })
  const { Consumer } = loadPlatformaticKafka()
  const consumer = new Consumer({ ...client, groupId: `json-${topic}`, deserializers: jsonDeserializers })
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
  test(`the application does not notice a fault in ${what}`, async (t) => {
    const topic = await start(t)
    t.after(inject())
    await roundTrip(t, topic)
    const values: string[] = []
    for await (const { value } of await consume(textConsumer(t), [topic])) {
      values.push(value)
      break
    }
    assert.deepEqual(values, ['one'])
  })
}

test('disabled, it gives the client back as it was, and traces nothing of what it has wrapped', async (t) => {
  const topic = await start(t)
  const producer = textProducer(t)
  const stream = await consume(textConsumer(t), [topic])
  assert.equal(
    methods().some((method, index) => method === originals[index]),
    false,
  )
  const iterator = stream[Symbol.asyncIterator]()
  instrumentation.disable()
  t.after(() => instrumentation.enable())
  assert.deepEqual(methods(), originals)
  await producer.send({ messages: [{ topic, value: 'one' }] })
  assert.equal((await iterator.next()).value?.value, 'one')
  await iterator.return?.()
  assert.deepEqual(recorder.finished(), [])
})
