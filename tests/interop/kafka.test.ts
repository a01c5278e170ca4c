import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { CloudEvent, ContentMode } from '@throughline/core'
import { kafka } from '@throughline/kafka'
import { type OtlpSink, otlpSink } from '@throughline/testkit'
import { createTopics } from '../../scripts/brokers/topics.ts'
import { brokers } from '../support/pipeline.ts'
import { testDirections, type Wire } from './support/directions.ts'
import { go, python, startProgram } from './support/program.ts'

async function newTopic(partitions = 1): Promise<string> {
  const name = `interop-${randomUUID()}`
  await createTopics(brokers().kafkaBrokers, [{ name, partitions }])
  return name
}

const wire: Wire = {
  transport: 'kafka',
  async subscribe(handler) {
    const { kafkaBrokers } = brokers()
    const topic = await newTopic()
    const broker = kafka({ brokers: kafkaBrokers })
    await broker.subscribe({ topics: [topic], group: `${topic}-ours` }, handler)
    return { producerArgs: [kafkaBrokers, topic], [Symbol.asyncDispose]: () => broker.close() }
  },
  async route(count) {
    const { kafkaBrokers } = brokers()
    const topic = await newTopic()
    return {
      consumerArgs: [kafkaBrokers, topic, String(count)],
      publisher: () => kafka({ brokers: kafkaBrokers }).publisher({ topic }),
    }
  },
}

/** The Python SDK's `kafka.to_structured` writes no data as `"data": null`. */
const asPythonSends = (event: CloudEvent, mode: ContentMode): CloudEvent =>
  mode === 'structured' && event.data === undefined ? { ...event, data: null } : event

describe('Kafka and Python: confluent-kafka, cloudevents', () =>
  testDirections('Python', python, wire, asPythonSends))
describe('Kafka and Go: segmentio/kafka-go', () => testDirections('Go', go, wire))

describe('Kafka and librdkafka, which Python has its client from', () => {
  const { kafkaBrokers } = brokers()
  let sink: OtlpSink
  before(async () => {
    sink = await otlpSink()
  })
  after(() => sink.close())

  for (const [ours, theirs] of [
    ['murmur2', 'murmur2_random'],
    ['crc32', 'consistent_random'],
  ] as const) {
    test(`a key goes to the same partition by our ${ours} and by its ${theirs}`, async () => {
      const topic = await newTopic(7)
      const keys = Array.from({ length: 200 }, (_, index) => `Schlüssel-${index}-${'x'.repeat(index % 9)}`)
      const broker = kafka({ brokers: kafkaBrokers })
      const places = new Map<unknown, unknown>()
      try {
        const results = await broker
          .publisher({ topic, partitioner: ours })
          .publishMessages(keys.map((key) => ({ key, headers: [], body: null })))
        for (const [index, result] of results.entries())
          places.set(keys[index], result.ok ? result.partition : result.error)
      } finally {
        await broker.close()
      }
      const input = keys.map((key) => `${JSON.stringify(key)}\n`).join('')
      await using program = startProgram(python('kafka_keys'), [kafkaBrokers, topic, theirs], {
        input,
        otlpUrl: sink.url,
      })
      const theirPlaces = new Map<unknown, unknown>()
      for await (const line of program.lines) {
        const { key, partition } = Object(line)
        theirPlaces.set(key, partition)
      }
      await program.ended()
      assert.equal(theirPlaces.size, keys.length)
      assert.deepEqual(theirPlaces, new Map(keys.map((key) => [key, places.get(key)])))
    })
  }

  test('batches that are compressed by gzip, snappy, lz4 and zstd are read', async () => {
    const topic = await newTopic()
    const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
    const data = { text: 'again and again '.repeat(1000) }
    const broker = kafka({ brokers: kafkaBrokers })
    try {
      for (const compression of codecs) {
        const event = { id: compression, type: 'test', source: '/test', time: '2026-01-02T03:04:05Z', data }
        await broker.publisher({ topic, compression }).publish(event)
      }
    } finally {
      await broker.close()
    }
    const args = [kafkaBrokers, topic, String(codecs.length)]
    await using program = startProgram(python('kafka_consumer'), args, { otlpUrl: sink.url })
    const read: unknown[] = []
    for await (const line of program.lines) if (Object(line).event) read.push(Object(line).event)
    assert.deepEqual(
      read.map((event) => [Object(event).id, Object(event).data]),
      codecs.map((codec) => [codec, data]),
    )
  })
})
