import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { createTopics } from '@throughline/kafka'
import { rabbitmq } from '@throughline/rabbitmq'
import { eventually, otlpSink } from '@throughline/testkit'
import { temporaryFolder, throughline } from '../packages/cli/test/command.ts'
import { readTopic, tapMqtt } from './support/wire.ts'

const { KAFKA_BROKERS: brokers = '', MQTT_URL: mqttUrl = '', AMQP_URL: amqpUrl = '' } = process.env
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-03`
const context = ['--traceparent', traceparent, '--tracestate', 'a=1', '--baggage', 'user=1']

before(() =>
  assert.ok(
    brokers && mqttUrl && amqpUrl,
    'KAFKA_BROKERS, MQTT_URL and AMQP_URL name the brokers: npm test sets them',
  ),
)

async function newTopic(): Promise<string> {
  const name = `send-${randomUUID()}`
  await createTopics({ brokers }, [{ name, partitions: 2 }])
  return name
}

test('to Kafka: a stranger reads the event, its key, and the context of the exported span', async () => {
  const topic = await newTopic()
  await using sink = await otlpSink()
  const event = ['--type', 't', '--id', '1', '--data', '{"sku":"A-1"}', '--key', 'k', '--partition', '1']
  const args = [...event, ...context, '--otlp', sink.url, '--header', 'x-shop=1']
  const { code, stdout, stderr } = await throughline(['send', `kafka://${brokers}/${topic}`, ...args])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `${topic}[1]@0  id 1  trace ${traceId}\n`)
  const [record, ...others] = await readTopic(brokers, topic)
  assert.deepEqual(others, [])
  assert.deepEqual([record?.key, record?.partition, record?.payload], ['k', 1, '{"sku":"A-1"}'])
  const [span] = sink.spans()
  assert.equal(span?.traceId, traceId)
  const headers = record?.headers.filter(([name]) => name !== 'throughline-sent-at') ?? []
  assert.deepEqual(headers.toSorted(), [
    ['baggage', 'user=1'],
    ['ce_id', '1'],
    ['ce_source', '/throughline/send'],
    ['ce_specversion', '1.0'],
    ['ce_type', 't'],
    ['content-type', 'application/json'],
    ['traceparent', `00-${traceId}-${span?.spanId}-03`],
    ['tracestate', 'a=1'],
    ['x-shop', '1'],
  ])
})

test('to Kafka: raw without data is a tombstone, and the lines of a file go in order', async () => {
  using folder = temporaryFolder()
  const topic = await newTopic()
  const url = `kafka://${brokers}/${topic}`
  const tombstone = await throughline(['send', url, '--raw', '--key', 'k', '--partition', '0'])
  assert.equal(tombstone.stdout, `${topic}[0]@0  no trace\n`, tombstone.stderr)
  const file = join(folder.path, 'lines')
  writeFileSync(file, Array.from({ length: 1200 }, (_, index) => `line ${index}\n`).join(''))
  const lines = await throughline(['send', url, '--raw', '--file', file, '--partition', '1'])
  assert.equal(lines.code, 0, lines.stderr)
  assert.match(lines.stdout, new RegExp(`\\n${topic}\\[1\\]@1199 {2}no trace\\n$`))
  const records = await readTopic(brokers, topic)
  assert.deepEqual(
    records.filter(({ partition }) => partition === 0).map(({ key, payload }) => [key, payload]),
    [['k', null]],
  )
  assert.deepEqual(
    records.filter(({ partition }) => partition === 1).map(({ payload }) => payload),
    Array.from({ length: 1200 }, (_, index) => `line ${index}`),
  )
})

test('to MQTT: a stranger reads the event and the context, at the quality of service asked for', async () => {
  const topic = `send/${randomUUID()}`
  await using tap = await tapMqtt(mqttUrl, 'send/#')
  const args = [
    '--type',
    't',
    '--id',
    '1',
    '--data',
    '21.5',
    '--qos',
    '1',
    '--mode',
    'structured',
    ...context,
  ]
  const { code, stdout, stderr } = await throughline(['send', `${mqttUrl}/${topic}`, ...args])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `${topic}  id 1  trace ${traceId}\n`)
  const message = await eventually(() => {
    const found = tap.messages.find((each) => each.topic === topic)
    assert.ok(found)
    return found
  })
  assert.equal(message.qos, 1)
  assert.deepEqual(JSON.parse(message.payload), {
    specversion: '1.0',
    id: '1',
    source: '/throughline/send',
    type: 't',
    datacontenttype: 'application/json',
    data: 21.5,
  })
  const { traceparent: sent, tracestate, baggage } = message.properties['user-properties']
  assert.deepEqual({ sent, tracestate, baggage }, { sent: traceparent, tracestate: 'a=1', baggage: 'user=1' })
})

test('to MQTT: a retained message is there for whoever comes later', async () => {
  const topic = `retained/${randomUUID()}`
  const url = `${mqttUrl}/${topic}`
  const { code, stderr } = await throughline(['send', url, '--raw', '--data', 'kept', '--retain'])
  assert.equal(code, 0, stderr)
  {
    await using tap = await tapMqtt(mqttUrl, topic)
    await eventually(() => assert.equal(tap.messages[0]?.payload, 'kept'))
  }
  // No data removes what is retained (MQTT 5 §3.3.1.3).
  assert.equal((await throughline(['send', url, '--raw', '--retain'])).code, 0)
})

test('to RabbitMQ: by an exchange and a routing key, or to a queue', async () => {
  const exchange = `send-${randomUUID()}`
  const queue = `${exchange}-queue`
  await using broker = rabbitmq({ url: amqpUrl })
  const received: { key: string; headers: Record<string, unknown>; body: string }[] = []
  const declare = {
    exchanges: [{ name: exchange }],
    queues: [{ name: queue }],
    bindings: [{ exchange, queue, routingKey: 'order.*' }],
  }
  await broker.subscribe({ queue, declare, raw: true }, ({ headers, body }, { delivery }) => {
    const key = delivery.position.destination
    received.push({ key, headers: Object.fromEntries(headers), body: Buffer.from(body ?? []).toString() })
  })
  const url = `${amqpUrl}/?exchange=${exchange}&routingKey=order.created`
  const args = ['--type', 't', '--id', '1', '--data', '{"sku":"A-1"}', ...context]
  const { code, stdout, stderr } = await throughline(['send', url, ...args])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `${exchange}:order.created  id 1  trace ${traceId}\n`)
  const direct = await throughline(['send', `${amqpUrl}/?queue=${queue}`, '--raw', '--data', 'x'])
  assert.equal(direct.stdout, `${queue}  no trace\n`, direct.stderr)
  await eventually(() => assert.equal(received.length, 2))
  const [event, message] = received
  assert.equal(event?.body, '{"sku":"A-1"}')
  const { 'cloudEvents:id': id, traceparent: sent, tracestate, baggage } = event.headers
  assert.deepEqual(
    { id, sent, tracestate, baggage },
    { id: '1', sent: traceparent, tracestate: 'a=1', baggage: 'user=1' },
  )
  assert.equal(message?.body, 'x')
})

test('what a broker refuses is one sentence, and exit code 1', async () => {
  const unknown = await throughline(['send', `kafka://${brokers}/nobody-made-this`, '--type', 't'])
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /has no topic nobody-made-this.*\(TL_KAFKA_TOPIC_UNKNOWN\)\n$/)
  const unroutable = await throughline(['send', `${amqpUrl}/?queue=nobody-made-this`, '--type', 't'])
  assert.equal(unroutable.code, 1)
  assert.match(unroutable.stderr, /"nobody-made-this".*leads to no queue.*\(TL_RABBITMQ_UNROUTABLE\)\n$/)
  using folder = temporaryFolder()
  const file = join(folder.path, 'large')
  writeFileSync(file, 'x'.repeat(2_000_000))
  const args = ['--type', 't', '--data', `@${file}`]
  const large = await throughline(['send', `kafka://${brokers}/${await newTopic()}`, ...args])
  assert.equal(large.code, 1)
  assert.match(large.stderr, /\(TL_TOO_LARGE\)\n$/)
  const away = [
    'kafka://127.0.0.1:9/t',
    'mqtt://127.0.0.1:9/t',
    'http://127.0.0.1:9/t',
    'amqp://127.0.0.1:9/?queue=t',
  ]
  for (const url of away) {
    const { code, stderr } = await throughline(['send', url, '--type', 't', '--timeout', '1s'])
    assert.equal(code, 1)
    assert.match(stderr, /^throughline: .*127\.0\.0\.1:9.*ECONNREFUSED.*\(TL_UNAVAILABLE\)\n$/)
  }
})
