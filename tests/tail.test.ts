import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { createTopics, kafka } from '@throughline/kafka'
import { mqtt } from '@throughline/mqtt'
import { rabbitmq } from '@throughline/rabbitmq'
import { eventually } from '@throughline/testkit'
import { type Server, serve, throughline } from '../packages/cli/test/command.ts'

const { KAFKA_BROKERS: brokers = '', MQTT_URL: mqttUrl = '', AMQP_URL: amqpUrl = '' } = process.env
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-03`

before(() =>
  assert.ok(
    brokers && mqttUrl && amqpUrl,
    'KAFKA_BROKERS, MQTT_URL and AMQP_URL name the brokers: npm test sets them',
  ),
)

/** A tail that has begun to read. */
async function tailing(...args: readonly string[]): Promise<Server> {
  const tail = serve(['tail', ...args])
  await tail.printed(/Ctrl-C ends it\n/)
  return tail
}

async function send(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await throughline(['send', ...args])
  assert.equal(code, 0, stderr)
}

describe('of Kafka', () => {
  /** Groups that the broker knows, and what a group has committed of a topic. */
  async function offsets(topic: string, group: string) {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [brokers] })
    try {
      const groups = [...(await admin.listGroups()).keys()].sort()
      const [found] = await admin.listConsumerGroupOffsets({ groups: [group] })
      const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? []
      const committed = partitions.map(({ partitionIndex, committedOffset }) => [
        partitionIndex,
        committedOffset,
      ])
      return { groups, committed: committed.sort() }
    } finally {
      await admin.close()
    }
  }

  test('a tail shows what comes and moves nothing: the group has its offsets and gets every message', async () => {
    const topic = `tail-${randomUUID()}`
    const group = `group-${randomUUID()}`
    const url = `kafka://${brokers}/${topic}`
    await createTopics({ brokers }, [{ name: topic, partitions: 2 }])
    await using broker = kafka({ brokers })
    const handled: string[] = []
    const take = () =>
      broker.subscribe({ topics: [topic], group }, (event) => {
        handled.push(event.id)
      })
    await send(url, '--type', 't', '--id', 'before')
    const first = await take()
    await eventually(() => assert.deepEqual(handled, ['before']))
    await first.close()
    const known = await offsets(topic, group)

    await using tail = await tailing(url)
    await send(
      url,
      '--type',
      't',
      '--id',
      'live',
      '--data',
      '{"n":1}',
      '--key',
      'k',
      '--traceparent',
      traceparent,
    )
    await tail.printed(
      new RegExp(
        ` ${topic}\\[\\d\\]@\\d  key k  queued [\\s\\S]* id live\\n[\\s\\S]*trace     ${traceId} .*sampled, random\\n`,
      ),
    )
    await using early = await tailing(url, '--from', 'earliest')
    await early.printed(/id before\n[\s\S]*id live\n|id live\n[\s\S]*id before\n/)
    assert.deepEqual(await offsets(topic, group), known)
    await using since = await tailing(url, '--from', '1h', '--filter', 'id=live', '--limit', '1')
    await since.printed(/id live\n/)
    assert.deepEqual(await tail.end('SIGINT'), { code: 0, signal: null })
    assert.deepEqual(await early.end('SIGTERM'), { code: 0, signal: null })
    assert.deepEqual(await offsets(topic, group), known)

    await take()
    await eventually(() => assert.deepEqual(handled, ['before', 'live']))
  })

  test('a topic that is not there, and a broker that is away, are one sentence and exit code 1', async () => {
    const unknown = await throughline(['tail', `kafka://${brokers}/nobody-made-this`])
    assert.equal(unknown.code, 1)
    assert.match(unknown.stderr, /topic nobody-made-this does not exist \(TL_KAFKA_TOPIC_UNKNOWN\)\n$/)
    const away = await throughline(['tail', 'kafka://127.0.0.1:9/t'])
    assert.equal(away.code, 1)
    assert.match(away.stderr, /127\.0\.0\.1:9.*ECONNREFUSED.*\(TL_UNAVAILABLE\)\n$/)
  })
})

describe('of MQTT', () => {
  test('a tail shows what comes, and the session of somebody else gets all of it', async () => {
    const place = `tail-${randomUUID()}`
    const filter = `${place}/+/reading`
    const clientId = `client-${randomUUID()}`
    const handled: string[] = []
    const take = async (broker: ReturnType<typeof mqtt>) => {
      await broker.subscribe({ topics: [filter] }, (event) => {
        handled.push(event.id)
      })
    }
    // A session is left, which the broker fills while its client is away.
    const before = mqtt({ url: mqttUrl, clientId })
    await take(before)
    await before.close()

    await using tail = await tailing(`${mqttUrl}/${filter}`)
    await using shared = await tailing(`${mqttUrl}/${place}/#`, '--json')
    await send(
      `${mqttUrl}/${place}/7/reading`,
      '--type',
      't',
      '--id',
      '1',
      '--qos',
      '2',
      '--traceparent',
      traceparent,
    )
    await tail.printed(
      new RegExp(
        `${place}/7/reading  QoS 1  queued [\\s\\S]*id 1\\n[\\s\\S]*trace     ${traceId} .*sampled, random\\n`,
      ),
    )
    const [, json = ''] = await shared.printed(/(\{.*\})\n/)
    assert.deepEqual(JSON.parse(json).trace, {
      traceId,
      spanId: '00f067aa0ba902b7',
      sampled: true,
      random: true,
    })
    assert.deepEqual(await tail.end('SIGINT'), { code: 0, signal: null })

    await using after = mqtt({ url: mqttUrl, clientId })
    await take(after)
    await eventually(() => assert.deepEqual(handled, ['1']))
  })

  test('a retained message is shown as one, and stays', async () => {
    const url = `${mqttUrl}/tail-${randomUUID()}/kept`
    await send(url, '--raw', '--data', 'kept', '--retain')
    for (let times = 0; times < 2; times++) {
      await using tail = await tailing(url, '--limit', '1')
      await tail.printed(/ retained .*\n[\s\S]* {4}kept\n/)
    }
    await send(url, '--raw', '--retain')
  })

  test('3.1.1 with the envelope carries the context both ways', async () => {
    const url = `${mqttUrl}/tail-${randomUUID()}?protocol=3.1.1&envelope`
    await using tail = await tailing(url)
    await send(url, '--type', 't', '--id', '1', '--data', '{"n":1}', '--traceparent', traceparent)
    await tail.printed(
      new RegExp(`event     t  structured\\n[\\s\\S]*trace     ${traceId} [\\s\\S]*"n": 1\\n`),
    )
  })
})

describe('of RabbitMQ', () => {
  /** An exchange of its own, with a queue of each kind bound to it. */
  async function newExchange() {
    const exchange = `tail-${randomUUID()}`
    const queues = [
      { name: `${exchange}-plain` },
      { name: `${exchange}-quorum`, type: 'quorum' as const },
      { name: `${exchange}-stream`, type: 'stream' as const },
    ]
    const bindings = queues.map(({ name }) => ({ exchange, queue: name, routingKey: '#' }))
    await using broker = rabbitmq({ url: amqpUrl })
    const declare = { exchanges: [{ name: exchange }], queues, bindings }
    await broker.publisher({ exchange, declare }).open()
    return {
      exchange,
      plain: `${exchange}-plain`,
      quorum: `${exchange}-quorum`,
      stream: `${exchange}-stream`,
    }
  }

  test('an exchange is read by a queue of its own, and the queues of others get every message, once', async () => {
    const { exchange, plain, quorum } = await newExchange()
    await using tail = await tailing(`${amqpUrl}/?exchange=${exchange}&routingKey=order.*`)
    const to = (routingKey: string) => `${amqpUrl}/?exchange=${exchange}&routingKey=${routingKey}`
    await send(to('invoice.paid'), '--type', 't', '--id', 'other')
    await send(to('order.created'), '--type', 't', '--id', '1', '--traceparent', traceparent)
    const [shown = ''] = await tail.printed(
      new RegExp(
        `.* ${exchange}:order.created  queued [\\s\\S]*id 1\\n[\\s\\S]*trace     ${traceId} .*random\\n`,
      ),
    )
    assert.doesNotMatch(shown, /id other/)
    assert.deepEqual(await tail.end('SIGINT'), { code: 0, signal: null })

    await using broker = rabbitmq({ url: amqpUrl })
    for (const queue of [plain, quorum]) {
      const handled: [string, boolean | undefined][] = []
      await broker.subscribe({ queue }, (event, { delivery }) => {
        handled.push([event.id, delivery.redelivered])
      })
      const all = [
        ['other', false],
        ['1', false],
      ]
      await eventually(() => assert.deepEqual(handled, all))
    }
  })

  test('a stream is read by offset, and stays', async () => {
    const { exchange, stream } = await newExchange()
    const url = `${amqpUrl}/?stream=${stream}`
    await send(`${amqpUrl}/?exchange=${exchange}&routingKey=k`, '--type', 't', '--count', '3', '--id', 'e')
    for (let times = 0; times < 2; times++) {
      await using tail = await tailing(url, '--from', 'earliest', '--limit', '3')
      await tail.printed(/@0 [\s\S]*id e-1\n[\s\S]*@1 [\s\S]*id e-2\n[\s\S]*@2 [\s\S]*id e-3\n/)
    }
  })

  test('a queue is refused, also one that is said to be a stream, and nothing of it is taken', async () => {
    const { exchange, plain, quorum } = await newExchange()
    await send(`${amqpUrl}/?exchange=${exchange}`, '--type', 't', '--id', '1')
    const refused = await throughline(['tail', `${amqpUrl}/?queue=${plain}`])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /a queue gives each message to one consumer.*\(TL_BAD_DESTINATION\)\n$/)
    await using broker = rabbitmq({ url: amqpUrl })
    for (const queue of [plain, quorum]) {
      const { code, stderr } = await throughline([
        'tail',
        `${amqpUrl}/?stream=${queue}`,
        '--from',
        'earliest',
      ])
      assert.equal(code, 1)
      assert.match(stderr, /is no stream: what is read here would be missed.*\(TL_NO_STREAM\)\n$/)
      const handled: [string, boolean | undefined][] = []
      await broker.subscribe({ queue }, (event, { delivery }) => {
        handled.push([event.id, delivery.redelivered])
      })
      await eventually(() => assert.deepEqual(handled, [['1', false]]))
    }
  })
})
