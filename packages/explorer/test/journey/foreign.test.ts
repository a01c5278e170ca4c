import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JourneyHop } from '../../src/api/schema.ts'
import { decodeJsonRequest } from '../../src/otlp/json.ts'
import { intakeOf } from '../../src/otlp/request.ts'
import { foreignNames, needsShared, sharedFile } from '../shared-data.ts'
import { journeyIn, storeOfShared, temporaryStore } from '../temporary.ts'

interface Expected {
  /** Messages whose send and process were joined. */
  readonly joined: number
  /** Sent, and nobody was seen receiving: unroutable, or taken without a span. */
  readonly unreceived: number
  readonly transport: 'kafka' | 'rabbitmq'
}
const kafka = (joined: number): Expected => ({ joined, unreceived: 0, transport: 'kafka' })
const rabbit = (joined: number, unreceived: number): Expected => ({
  joined,
  unreceived,
  transport: 'rabbitmq',
})

/** From the README beside the recordings: what was sent, and what was seen of it. */
const expected: Readonly<Record<string, Expected>> = {
  'go-franz-go-kotel': kafka(9),
  'go-franz-go-kotel-links': kafka(9),
  'go-sarama-otelsarama': kafka(9),
  'java-kafka-clients': kafka(9),
  'java-kafka-clients-receive': kafka(9),
  'java-kafka-clients-semconv-messaging': kafka(9),
  'java-kafka-clients-semconv-messaging-dup': kafka(9),
  'java-rabbitmq': rabbit(4, 2),
  'java-rabbitmq-semconv-messaging': rabbit(5, 1),
  'node-amqplib': rabbit(4, 2),
  'node-amqplib-links': rabbit(4, 2),
  'node-kafkajs-eachbatch': kafka(11),
  'node-kafkajs-eachmessage': kafka(11),
  'node-kafkajs-redelivery': kafka(11),
  'python-aio-pika': rabbit(4, 1),
  'python-aiokafka': kafka(9),
  'python-confluent-kafka': kafka(9),
  'python-kafka-python': kafka(9),
  'python-pika': rabbit(4, 1),
}

describe('telemetry of other instrumentations', needsShared, () => {
  test('every recording has its expectation', () => {
    assert.deepEqual(foreignNames().sort(), Object.keys(expected).sort())
  })

  for (const [name, { joined, unreceived, transport }] of Object.entries(expected)) {
    test(`${name}: ${joined} messages joined, ${unreceived} without a receiver, none counted twice`, (context) => {
      const store = temporaryStore(context)
      const { records, rejected } = intakeOf(decodeJsonRequest(sharedFile(`foreign/${name}.json`)))
      assert.equal(rejected, 0)
      store.append(records)
      const hops: JourneyHop[] = []
      // Each message began a trace of its own: from there its journey is followed.
      for (const { span } of records) {
        if (span.kind !== 'PRODUCER' || span.parentSpanId !== null) continue
        const journey = journeyIn(store, { kind: 'trace', traceId: span.traceId })
        const messages = journey.hops.filter(({ kind }) => kind === 'message')
        assert.equal(messages.length, 1, 'one hop a message')
        assert.deepEqual(journey.findings, [])
        hops.push(...messages)
      }
      assert.equal(hops.filter((hop) => hop.from === 'producer' && hop.to === 'consumer').length, joined)
      assert.equal(hops.filter((hop) => hop.from === 'producer' && hop.to === null).length, unreceived)
      assert.equal(hops.length, joined + unreceived)
      for (const hop of hops) {
        assert.equal(hop.transport, transport)
        assert.match(hop.destination, /^fx-/)
        if (hop.to !== null) assert.equal(hop.queueSource, 'spans')
      }
    })
  }

  test('a message that was delivered again is one hop with two attempts', (context) => {
    const store = temporaryStore(context)
    const { records } = intakeOf(decodeJsonRequest(sharedFile('foreign/node-kafkajs-redelivery.json')))
    store.append(records)
    const failed = records.find(({ span }) => span.status === 'ERROR')
    const journey = journeyIn(store, { kind: 'trace', traceId: failed?.span.traceId ?? '' })
    assert.deepEqual(
      journey.hops.map(({ attempts, error }) => ({ attempts, error })),
      [{ attempts: 2, error: false }],
    )
    assert.equal(journey.edges.filter(({ kind }) => kind === 'retry').length, 1)
  })

  test('a position finds the journey of a message whose offset stands only in its id', (context) => {
    const store = storeOfShared(context, 'foreign/go-sarama-otelsarama.json')
    const [traceId] = store.search({ name: 'service', value: 'consumer' }, 1)
    const [hop] = journeyIn(store, { kind: 'trace', traceId: traceId ?? '' }).hops
    assert.ok(hop?.offset && hop.partition)
    const found = store.search({ name: null, value: `${hop.destination}[${hop.partition}]@${hop.offset}` }, 5)
    assert.deepEqual(found, [traceId])
  })
})
