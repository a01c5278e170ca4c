import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { headerText, type Message } from '@throughline/core'
import { kafka } from '@throughline/kafka'
import { rabbitmq, type Topology } from '@throughline/rabbitmq'
import { eventually } from '@throughline/testkit'
import {
  amqpUrl,
  kafkaBrokers,
  kafkaInbox,
  mqttInbox,
  newTopic,
  post,
  runBridge,
  startingBridge,
  unique,
} from './brokers.ts'

const LATE = { timeoutMs: 30_000 }
const RABBIT = `rabbit: { type: rabbitmq, url: "$\{AMQP_URL}" }`
const KAFKA = `kafka: { type: kafka, brokers: "$\{KAFKA_BROKERS}" }`

/** Everything that comes into a queue from now on. */
async function queueInbox(
  t: TestContext,
  queue: string,
  declare: Topology = {},
): Promise<readonly Message[]> {
  const messages: Message[] = []
  const broker = rabbitmq({ url: amqpUrl() })
  t.after(() => broker.close())
  const queues = [{ name: queue, autoDelete: true, durable: false }]
  await broker.subscribe(
    { queue, raw: true, declare: { queues, ...declare } },
    (message) => void messages.push(message),
  )
  return messages
}

test('an event goes from Kafka over an exchange and a queue to MQTT as it was, with its properties and in one trace', async (t) => {
  const topic = await newTopic('orders')
  const exchange = unique('orders')
  const root = unique('orders')
  const tap = unique('tap')
  await runBridge(
    t,
    `connections:
  ${KAFKA}
  ${RABBIT}
  edge: { type: mqtt, url: "$\{MQTT_URL}" }
routes:
  out:
    from: { connection: kafka, topics: ${topic}, group: ${unique('out')} }
    to: { connection: rabbit, exchange: ${exchange}, declare: topic, routingKey: "order.{{ event.subject }}" }
  on:
    from:
      connection: rabbit
      queue: ${unique('on')}
      declare: quorum
      bindings: [{ exchange: ${exchange}, routingKey: "order.*", declare: topic }]
    to: { connection: edge, topic: "${root}/{{ event.subject }}" }
`,
  )
  const exchanges = [{ name: exchange, type: 'topic' }]
  const tapped = await queueInbox(t, tap, {
    exchanges,
    queues: [{ name: tap, autoDelete: true, durable: false }],
    bindings: [{ exchange, queue: tap, routingKey: '#' }],
  })
  const arrived = await mqttInbox(t, `${root}/#`)

  const source = kafka({ brokers: kafkaBrokers() })
  t.after(() => source.close())
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const encoded = source.transport.binding.encode(
    {
      specversion: '1.0',
      id: '1',
      source: '/orders',
      type: 'com.example.order',
      subject: '4711',
      time: '2026-01-01T00:00:00.123456789+01:00',
      data: { big: 9007199254740993n, sum: 21.5 },
    },
    { mode: 'binary' },
  )
  const stranger = source.transport.publisher({ topic })
  t.after(() => stranger.close())
  const [result] = await stranger.publish([
    {
      ...encoded,
      headers: [
        ...encoded.headers,
        ['traceparent', `00-${traceId}-00f067aa0ba902b7-01`],
        ['correlation-id', 'c-1'],
        ['message-id', 'm-1'],
        ['tenant', 'acme'],
      ],
    },
  ])
  assert.ok(result?.ok)
  await eventually(() => assert.deepEqual([tapped.length, arrived.length], [1, 1]), LATE)
  const [amqp, mqtt] = [tapped[0], arrived[0]]
  assert.ok(amqp && mqtt)
  assert.deepEqual([amqp.properties?.messageId, amqp.properties?.correlationId], ['m-1', 'c-1'])
  assert.equal(headerText(amqp.headers, 'tenant'), 'acme')
  assert.equal(mqtt.properties?.correlationId, 'c-1')
  assert.equal(headerText(mqtt.headers, 'message-id'), 'm-1')
  assert.equal(headerText(mqtt.headers, 'time'), '2026-01-01T00:00:00.123456789+01:00')
  assert.deepEqual(mqtt.body && new Uint8Array(mqtt.body), encoded.body)
  for (const { headers } of [amqp, mqtt]) {
    const contexts = headers.filter(([name]) => name.toLowerCase() === 'traceparent')
    assert.equal(contexts.length, 1)
    assert.match(String(contexts[0]?.[1]), new RegExp(`^00-${traceId}-`))
  }
})

test('what no queue takes is not lost: its source waits, and goes on when a queue is bound', async (t) => {
  const exchange = unique('alerts')
  const topic = await newTopic('alerts', 1)
  const group = unique('alerts')
  const { log } = await runBridge(
    t,
    `connections:
  ${KAFKA}
  ${RABBIT}
routes:
  alerts:
    from: { connection: kafka, topics: ${topic}, group: ${group} }
    to: { connection: rabbit, exchange: ${exchange}, declare: fanout, routingKey: all }
    retry: { attempts: 1, backoff: 10ms..20ms }
`,
  )
  const source = kafka({ brokers: kafkaBrokers() })
  t.after(() => source.close())
  await source.publisher({ topic }).publish({ type: 't', source: '/s', id: '1' })
  await eventually(() => assert.match(log.lines.join('\n'), /target .* leads to no queue/), LATE)
  const queue = unique('late')
  const taken = await queueInbox(t, queue, {
    exchanges: [{ name: exchange, type: 'fanout' }],
    queues: [{ name: queue, autoDelete: true, durable: false }],
    bindings: [{ exchange, queue }],
  })
  await eventually(() => assert.equal(headerText(taken[0]?.headers ?? [], 'cloudevents:id'), '1'), LATE)
})

test('an exchange that is not there is waited for, at the source too', async (t) => {
  const exchange = unique('late')
  const queue = unique('late')
  const topic = await newTopic('late', 1)
  const records = await kafkaInbox(t, topic)
  const { bridge, log } = await startingBridge(
    t,
    `connections:
  ${KAFKA}
  ${RABBIT}
routes:
  late:
    from: { connection: rabbit, queue: ${queue}, declare: classic, bindings: [{ exchange: ${exchange}, routingKey: all }] }
    to: { connection: kafka, topic: ${topic} }
`,
  )
  const broker = rabbitmq({ url: amqpUrl() })
  t.after(() => broker.close())
  const publisher = broker.publisher({
    exchange,
    routingKey: 'all',
    declare: { exchanges: [{ name: exchange, type: 'direct', autoDelete: true }] },
  })
  await eventually(
    () => assert.match(log.lines.join('\n'), new RegExp(`source .*no exchange '${exchange}'`)),
    LATE,
  )
  await publisher.open()
  await eventually(() => assert.equal(bridge.routes()[0]?.ready, true), LATE)
  await publisher.publish({ type: 't', source: '/s', id: '1' })
  await eventually(() => assert.equal(headerText(records[0]?.headers ?? [], 'ce_id'), '1'), LATE)
})

test('deadLetter: broker leaves what is given up to the dead letter exchange of the queue', async (t) => {
  const queue = unique('work')
  const dead = unique('dead')
  const letters = await queueInbox(t, dead)
  const broker = rabbitmq({ url: amqpUrl() })
  t.after(() => broker.close())
  const declare = {
    queues: [
      {
        name: queue,
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead, 'x-expires': 60_000 },
      },
    ],
  }
  const publisher = broker.publisher({ routingKey: queue, declare })
  await publisher.open()
  const { bridge } = await runBridge(
    t,
    `connections:
  ${RABBIT}
  edge: { type: mqtt, url: "$\{MQTT_URL}" }
routes:
  work:
    from: { connection: rabbit, queue: ${queue} }
    to: { connection: edge, topic: "${unique('work')}/{{ event.subject }}" }
    retry: { attempts: 1 }
    deadLetter: broker
`,
  )
  await publisher.publish({ type: 't', source: '/s', id: '1', subject: 'a/+' })
  await eventually(() => assert.equal(headerText(letters[0]?.headers ?? [], 'cloudevents:id'), '1'), LATE)
  assert.equal(bridge.routes()[0]?.dropped, 1)
})

test('an HTTP request is answered 2xx once RabbitMQ has confirmed it', async (t) => {
  const queue = unique('web')
  const { bridge } = await runBridge(
    t,
    `connections:
  web: { type: http, listen: "127.0.0.1:0" }
  ${RABBIT}
routes:
  web:
    from: { connection: web, path: /events }
    to: { connection: rabbit, routingKey: ${queue}, declare: classic, mode: structured }
`,
  )
  const { web } = bridge.addresses()
  assert.ok(web)
  const answer = await post(`http://127.0.0.1:${web.port}/events`, { id: '1' })
  assert.equal(answer.status, 204)
  const taken = await queueInbox(t, queue, { queues: [{ name: queue }] })
  await eventually(() => assert.equal(taken[0]?.contentType, 'application/cloudevents+json; charset=utf-8'))
})
