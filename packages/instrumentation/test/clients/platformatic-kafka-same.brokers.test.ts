import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import type { MessageToProduce, ProducerOptions } from '@platformatic/kafka'
import { platformaticKafka } from '../support/carriers/platformatic-kafka.ts'
import { frozen } from '../support/frozen.ts'
import {
  client,
  closed,
  consume,
  createTopics,
  loadPlatformaticKafka,
  readBytes,
  textConsumer,
  textProducer,
} from '../support/platformatic-kafka.ts'
import { outcome, ownHeaders, sameWithout } from '../support/same.ts'

const same = (t: TestContext, run: (topic: string) => Promise<unknown>) =>
  sameWithout(platformaticKafka.instrumentation, async () => {
    const [topic = ''] = await createTopics(t)
    return { seen: await run(topic), topic }
  })

const bytes = Buffer.from([0, 255, 128])

/** What stands in a topic, as bytes. */
async function written(t: TestContext, topic: string, count: number) {
  const messages = await readBytes(t, topic, count)
  return messages.map(({ key, value, headers }) => [key, value, ownHeaders(headers)])
}

test('headers of every kind, tombstones and compressed messages arrive as they would', (t) =>
  same(t, async (topic) => {
    const { Producer } = loadPlatformaticKafka()
    const producer = closed(t, new Producer(client))
    const headers = new Map([
      [Buffer.from('bytes'), bytes],
      [Buffer.from('empty'), Buffer.alloc(0)],
      [Buffer.from('Traceparents'), Buffer.from('own')],
    ])
    const sent = await producer.send({
      messages: [
        { topic, key: bytes, value: bytes, headers },
        { topic, key: bytes },
        { topic, key: bytes, value: Buffer.alloc(5_000, 'x'), headers: frozen({}) as never },
      ],
      compression: 'gzip',
      acks: -1,
    })
    return [sent, [...headers.keys()], await written(t, topic, 3)]
  }))

test("the application's own serializers are called with the same, but for the word that tells their kind", (t) =>
  same(t, async (topic) => {
    const { Producer } = loadPlatformaticKafka()
    const calls: unknown[] = []
    const recorded = (part: string) => (value: unknown, headers: unknown, message: unknown) => {
      if (value !== 'traceparent' && !String(value).startsWith('00-')) {
        const names = headers instanceof Map ? ownHeaders(headers) : headers
        calls.push([part, value, names, Object.keys(Object(message)).sort()])
      }
      return value === undefined || value === null ? undefined : Buffer.from(String(value))
    }
    const serializers = {
      key: recorded('key'),
      value: recorded('value'),
      headerKey: recorded('headerKey'),
      headerValue: recorded('headerValue'),
    } as ProducerOptions<string, string, string, string>['serializers']
    const producer = closed(t, new Producer({ ...client, ...(serializers && { serializers }) }))
    const metadata = { schema: 7 }
    await producer.send({
      messages: [
        { topic, key: 'a', value: 'one', headers: { tenant: 'a' }, metadata },
        { topic, key: 'a', value: null as never, headers: { tenant: 'b' }, metadata },
      ] as MessageToProduce<string, string, string, string>[],
    })
    return [calls, await written(t, topic, 2)]
  }))

test('what the client refuses is refused in the same words, by promise and by callback', (t) =>
  same(t, async (topic) => {
    const { Producer, jsonSerializer, stringSerializers } = loadPlatformaticKafka()
    const producer = textProducer(t, { strict: true })
    const failing = closed(
      t,
      new Producer({
        ...client,
        serializers: {
          ...stringSerializers,
          value: () => {
            throw new RangeError('no schema')
          },
        } as never,
      }),
    )
    const json = closed(t, new Producer({ ...client, serializers: { value: jsonSerializer } as never }))
    const late = textProducer(t)
    await late.close()
    const seen: unknown[] = []
    const inputs: unknown[] = [
      undefined,
      {},
      { messages: null },
      { messages: [] },
      { messages: [null] },
      { messages: [{ value: 'one' }] },
      { messages: [{ topic, value: 'one', partition: 9 }] },
      { messages: [{ topic, value: 'one' }], acks: 7 },
      { messages: [{ topic, value: 'one', headers: 'none' }] },
      { messages: [{ topic: `${topic}-missing`, value: 'one' }] },
      { messages: [{ topic, value: 'one' }], acks: 0 },
    ]
    for (const each of [producer, failing, json, late]) {
      for (const input of inputs) {
        const send = (...args: unknown[]) => Reflect.apply(each.send, each, args)
        seen.push(await outcome(() => send(input)))
        // What comes of a call with a callback is the callback's alone.
        seen.push(
          await outcome(
            () =>
              new Promise((resolve, reject) => {
                send(input, (error: unknown, result: unknown) => (error ? reject(error) : resolve(result)))
              }),
          ),
        )
      }
    }
    return seen
  }))

test('a stream of messages is listened to, looped over, piped, committed and closed as it would be', (t) =>
  same(t, async (topic) => {
    const messages = ['0', '1', '2', '3', '4', '5'].map((value) => ({ topic, key: value, value }))
    await textProducer(t).send({ messages })
    const consumer = textConsumer(t)
    const seen: unknown[] = []
    const events = (name: string, stream: Readable) => {
      for (const event of ['end', 'close', 'error', 'pause', 'resume'])
        stream.on(event, (...args) => seen.push([name, event, args.map(String)]))
    }

    const first = await consume(consumer, [topic])
    events('first', first)
    let left: unknown
    for await (const message of first) {
      const { key, value, offset, partition } = message
      seen.push([key, value, offset, partition, Object.keys(message).sort(), typeof message.commit])
      if (value === '1') {
        left = await message.commit()
        break
      }
    }
    seen.push(left, [...first.offsetsCommitted])

    const second = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      autocommit: false,
      maxWaitTime: 100,
    })
    events('second', second)
    second.once('data', ({ value }) => seen.push(['once', value]))
    await once(second, 'data')
    seen.push([second.listenerCount('data'), second.isPaused(), second.readableFlowing])
    await second.close()

    const third = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      autocommit: false,
      maxWaitTime: 100,
    })
    const sink = new PassThrough({ objectMode: true, highWaterMark: 1 })
    const piped = third.pipe(sink)
    seen.push(piped === sink)
    for await (const { value } of sink) {
      seen.push(['piped', value])
      if (value === '5') break
    }
    third.unpipe(sink)
    await third.close()

    const fourth = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      autocommit: true,
      maxWaitTime: 100,
    })
    const iterator = fourth[Symbol.asyncIterator]()
    seen.push(Object.keys(iterator), (await iterator.next()).value?.value, await iterator.return?.())
    seen.push(await outcome(() => iterator.throw?.(new Error('late'))), await iterator.next())
    await fourth.close()
    return seen
  }))

test('transactions and streams of a producer are what they would be', (t) =>
  same(t, async (topic) => {
    const producer = textProducer(t, { idempotent: true, strict: true })
    const seen: unknown[] = []
    for (const end of ['abort', 'commit'] as const) {
      const transaction = await producer.beginTransaction({})
      seen.push(await transaction.send({ messages: [{ topic, value: end }] }))
      seen.push(await outcome(() => producer.send({ messages: [{ topic, value: 'outside' }] })))
      await transaction[end]()
      seen.push(await outcome(() => transaction[end]()))
    }
    const stream = textProducer(t).asStream({ batchSize: 2, reportMode: 'message' })
    const written = [
      { topic, value: 'one' },
      { topic, value: 'two' },
    ]
    stream.on('delivery-report', (report) => {
      seen.push([Object.keys(report).sort(), written.includes(Object(report).message)])
    })
    seen.push(written.map((message) => stream.write(message)))
    const [flushed] = await once(stream, 'flush')
    seen.push(Object.keys(flushed).sort(), flushed.count)
    await stream.close()
    seen.push(await outcome(() => new Promise((_, reject) => stream.write(written[0], reject))))
    return seen
  }))
