import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { recordSpans } from '@throughline/testkit'
import { PlatformaticKafkaInstrumentation } from '../../src/index.ts'
import { frozen, OMIT } from '../support/kafkajs.ts'
import {
  client,
  closed,
  createTopics,
  loadPlatformaticKafka,
  readBytes,
  textProducer,
} from '../support/platformatic-kafka.ts'

const instrumentation = new PlatformaticKafkaInstrumentation()
const recorder = recordSpans()
const tracer = trace.getTracer('application')

async function start(t: TestContext, topics = 1) {
  const names = await createTopics(t, topics)
  recorder.reset()
  t.after(() => recorder.assertNoLeaks())
  const [topic = ''] = names
  return { topic, topics: names }
}

/** Reads with the instrumentation off, so that nothing of what is seen is its own. */
async function readUntraced(t: TestContext, topic: string, count: number) {
  instrumentation.disable()
  t.after(() => instrumentation.enable())
  return readBytes(t, topic, count)
}

const CLIENT = {
  'messaging.system': 'kafka',
  'server.address': '127.0.0.1',
  'messaging.client.id': 'app',
}

test('messages of one call have a create span each, and one send span a topic that is linked to them', async (t) => {
  const { topics } = await start(t, 2)
  const [one = '', two = ''] = topics
  const producer = textProducer(t)
  const { offsets } = await producer.send({
    messages: [
      { topic: one, key: 'a', value: '1' },
      { topic: one, key: 'a', value: null as unknown as string },
      {
        topic: two,
        value: '3',
        headers: { ce_id: '1', ce_source: '/orders', ce_type: 'created', ce_specversion: '1.0' },
      },
    ],
  })
  assert.equal(offsets?.length, 2)
  const create = {
    ...CLIENT,
    'messaging.operation.name': 'create',
    'messaging.operation.type': 'create',
    'messaging.destination.name': one,
    'messaging.kafka.message.key': 'a',
  }
  const send = { ...CLIENT, 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' }
  assert.deepEqual(recorder.tree({ omit: OMIT }), [
    { name: `create ${one}`, kind: 'PRODUCER', trace: 1, parent: null, attributes: create },
    {
      name: `create ${one}`,
      kind: 'PRODUCER',
      trace: 2,
      parent: null,
      attributes: { ...create, 'messaging.kafka.message.tombstone': true },
    },
    {
      name: `send ${one}`,
      kind: 'CLIENT',
      trace: 3,
      parent: null,
      links: [{ to: `create ${one}` }, { to: `create ${one}#2` }],
      attributes: {
        ...send,
        'messaging.destination.name': one,
        'messaging.batch.message_count': 2,
      },
    },
    {
      name: `send ${two}`,
      kind: 'PRODUCER',
      trace: 4,
      parent: null,
      attributes: {
        ...send,
        'messaging.destination.name': two,
        'messaging.message.id': '1',
        'cloudevents.event_id': '1',
        'cloudevents.event_source': '/orders',
        'cloudevents.event_type': 'created',
        'cloudevents.event_spec_version': '1.0',
      },
    },
  ])
})

test('what the application gives is not changed, and its bytes arrive as bytes', async (t) => {
  const { topic } = await start(t)
  const { Producer } = loadPlatformaticKafka()
  const producer = closed(t, new Producer(client))
  const bytes = Buffer.from([0, 255, 128, 1])
  const headers = new Map([[Buffer.from('raw'), bytes]])
  const options = frozen({
    messages: [
      { topic, key: bytes, value: bytes, headers },
      { topic, value: bytes },
    ],
  })
  await producer.send(options)
  assert.deepEqual([...headers], [[Buffer.from('raw'), bytes]])
  const [first, second] = await readUntraced(t, topic, 2)
  assert.deepEqual(first?.key, bytes)
  assert.deepEqual(first?.value, bytes)
  assert.deepEqual(first?.headers.get('raw'), bytes)
  assert.deepEqual([...(first?.headers.keys() ?? [])].sort(), ['raw', 'traceparent'])
  assert.deepEqual([...(second?.headers.keys() ?? [])].sort(), ['traceparent'])
})

test('headers go through the serializers of the producer, text as text', async (t) => {
  const { topic } = await start(t)
  const { Producer, jsonSerializer, stringSerializer, serializersFrom } = loadPlatformaticKafka()
  const serializers = {
    text: serializersFrom(stringSerializer),
    json: serializersFrom(jsonSerializer),
    bytes: { headerValue: (value?: Buffer) => value?.subarray() },
  }
  const text = closed(t, new Producer({ ...client, serializers: serializers.text }))
  await text.send({ messages: [{ topic, value: 'text', headers: { tenant: 'a' } }] })
  await text.send({ messages: [{ topic, value: 'text', headers: new Map([['tenant', 'a']]) }] })
  const json = closed(t, new Producer({ ...client, serializers: serializers.json }))
  await json.send({ messages: [{ topic, key: 'a', value: { id: 1 } }] })
  const bytes = closed(t, new Producer({ ...client, serializers: serializers.bytes }))
  await bytes.send({ messages: [{ topic, value: Buffer.from('bytes') }] })
  const spans = recorder.named(`send ${topic}`)
  const read = await readUntraced(t, topic, 4)
  const expected = spans.map((span) => {
    const { traceId, spanId } = span.spanContext()
    return `00-${traceId}-${spanId}-01`
  })
  assert.deepEqual(
    read.map(({ headers }) => String(headers.get('traceparent') ?? headers.get('"traceparent"'))),
    expected.map((value, index) => (index === 2 ? JSON.stringify(value) : value)),
  )
  assert.deepEqual(
    read.slice(0, 2).map(({ headers }) => String(headers.get('tenant'))),
    ['a', 'a'],
  )
})

test('a producer whose header serializers take neither text nor bytes sends its messages as they are', async (t) => {
  const { topic } = await start(t)
  const { Producer } = loadPlatformaticKafka()
  const headerValue = (value?: { id: number }) => {
    if (typeof value?.id !== 'number') throw new TypeError('not an id')
    return Buffer.from(String(value.id))
  }
  const producer = closed(t, new Producer({ ...client, serializers: { headerValue } }))
  const headers = new Map([[Buffer.from('id'), { id: 7 }]])
  await producer.send({ messages: [{ topic, value: Buffer.from('one'), headers }] })
  assert.equal(recorder.named(`send ${topic}`).length, 1)
  const [message] = await readUntraced(t, topic, 1)
  assert.deepEqual([...(message?.headers ?? [])], [['id', Buffer.from('7')]])
})

test('a context that the application made for a message stays, and the send links to it', async (t) => {
  const { topic } = await start(t)
  const own = tracer.startSpan('order placed')
  const headers: Record<string, string> = {}
  propagation.inject(trace.setSpan(ROOT_CONTEXT, own), headers)
  own.end()
  await textProducer(t).send({ messages: [{ topic, value: 'one', headers: frozen(headers) }] })
  const [send] = recorder.named(`send ${topic}`)
  assert.equal(send?.kind, SpanKind.CLIENT)
  assert.deepEqual(
    send?.links.map((link) => link.context.spanId),
    [own.spanContext().spanId],
  )
  const [message] = await readUntraced(t, topic, 1)
  assert.deepEqual(
    [...(message?.headers ?? [])].map(([name, value]) => [name, String(value)]),
    Object.entries(headers),
  )
})

test('a callback is called as the client calls it, after the span has ended', async (t) => {
  const { topic } = await start(t)
  const producer = textProducer(t)
  const answer = await new Promise<unknown[]>((resolve) => {
    const returned: unknown = producer.send({ messages: [{ topic, value: 'one' }] }, (...answer) =>
      resolve([...answer, recorder.named(`send ${topic}`).length]),
    )
    assert.equal(returned, undefined)
  })
  assert.deepEqual(answer, [null, { offsets: [{ topic, partition: 0, offset: 0n }] }, 1])
  const refused = await new Promise((resolve) => {
    producer.send({ messages: [{ topic: `${topic}-missing`, value: 'one' }] }, resolve)
  })
  assert.match(String(refused), /Unknown topic/)
  assert.equal(recorder.named(`send ${topic}-missing`)[0]?.status.message, (refused as Error).message)
})

test('messages that a stream gathers have a span each, in the context in which each was written', async (t) => {
  const { topic } = await start(t)
  const producer = textProducer(t)
  const stream = producer.asStream({ batchSize: 3 })
  const roots = ['one', 'two', 'three'].map((value) => {
    const span = tracer.startSpan(value)
    context.with(trace.setSpan(ROOT_CONTEXT, span), () => stream.write({ topic, value }))
    span.end()
    return span.spanContext()
  })
  await once(stream, 'flush')
  await stream.close()
  assert.deepEqual(
    recorder.named(`send ${topic}`).map((span) => [span.kind, span.parentSpanContext?.spanId]),
    roots.map(({ spanId }) => [SpanKind.PRODUCER, spanId]),
  )
  const read = await readUntraced(t, topic, 3)
  assert.equal(new Set(read.map(({ headers }) => String(headers.get('traceparent')))).size, 3)
})

test('no link of 300 messages of one call is lost: the send span comes in parts', async (t) => {
  const { topic } = await start(t)
  const messages = Array.from({ length: 300 }, (_, index) => ({ topic, value: String(index) }))
  await textProducer(t).send({ messages })
  const sends = recorder.named(`send ${topic}`)
  assert.deepEqual(
    sends.map(({ attributes, links }) => [attributes['throughline.batch.part'], links.length]),
    [
      ['1/3', 128],
      ['2/3', 128],
      ['3/3', 44],
    ],
  )
  assert.deepEqual(
    sends.flatMap(({ links }) => links.map((link) => link.context.spanId)),
    recorder.named(`create ${topic}`).map((span) => span.spanContext().spanId),
  )
  const read = await readUntraced(t, topic, 300)
  assert.equal(new Set(read.map(({ headers }) => String(headers.get('traceparent')))).size, 300)
})

test('one message object that is written again and again has the context of each time', async (t) => {
  const { topic } = await start(t)
  const producer = textProducer(t)
  const stream = producer.asStream({ batchSize: 2 })
  const message = frozen({ topic, value: 'ping' })
  const roots = ['one', 'two'].map((name) => {
    const span = tracer.startSpan(name)
    context.with(trace.setSpan(ROOT_CONTEXT, span), () => stream.write(message))
    span.end()
    return span.spanContext().spanId
  })
  await once(stream, 'flush')
  await stream.close()
  await producer.send({ messages: [message] })
  assert.deepEqual(
    recorder.named(`send ${topic}`).map(({ parentSpanContext }) => parentSpanContext?.spanId),
    [...roots, undefined],
  )
})

test('what a transaction sends is traced, once', async (t) => {
  const { topic } = await start(t)
  const producer = textProducer(t, { idempotent: true, strict: true })
  const transaction = await producer.beginTransaction({})
  await transaction.send({ messages: [{ topic, value: 'one' }] })
  await transaction.commit()
  await assert.rejects(transaction.send({ messages: [{ topic, value: 'late' }] }), { code: 'PLT_KFK_USER' })
  assert.equal(recorder.named(`send ${topic}`).length, 1)
})

test('a send that fails rejects with the error of the client, and its span says which', async (t) => {
  const { topic } = await start(t)
  const sending = textProducer(t).send({ messages: [{ topic: `${topic}-missing`, value: 'one' }] })
  await assert.rejects(sending, { code: 'PLT_KFK_USER', message: `Unknown topic ${topic}-missing.` })
  const [span] = recorder.named(`send ${topic}-missing`)
  assert.equal(span?.status.message, `Unknown topic ${topic}-missing.`)
})

test('arguments that are none are answered by the client alone', async (t) => {
  await start(t)
  const producer = textProducer(t, { strict: true })
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.send({}), { code: 'PLT_KFK_USER' })
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.send(), { code: 'PLT_KFK_USER' })
  // @ts-expect-error: what JavaScript lets through
  await assert.rejects(producer.send({ messages: [{ value: 'one' }, null] }), { code: 'PLT_KFK_USER' })
  assert.deepEqual(recorder.finished(), [])
})
