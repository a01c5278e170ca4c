import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { propagation, type Span } from '@opentelemetry/api'
import { recordMetrics, recordSpans } from '@throughline/testkit'
import { amqp, delivered, instrumentation, onBroker } from './support/amqplib.ts'
import { ended, FIXED, url } from './support/rabbitmq.ts'

/** One message there and back, as the application sees it. */
async function roundTrip({ connection, queue }: Parameters<Parameters<typeof onBroker>[0]>[0]) {
  const orders = await queue()
  const channel = await connection.createConfirmChannel()
  const handled = new Promise((resolve) => {
    void channel.consume(orders, (message) => {
      if (message === null) return
      channel.ack(message)
      resolve(message.content.toString())
    })
  })
  const confirmed = await new Promise((resolve) => {
    channel.sendToQueue(orders, Buffer.from('1'), { headers: { tenant: 'eu' } }, resolve)
  })
  assert.deepEqual([confirmed, await handled], [null, '1'])
  return orders
}

function fails(): never {
  throw new Error('a fault that was put there')
}

describe('amqplib: faults of the instrumentation and of what it calls', () => {
  for (const option of ['producerHook', 'consumerHook', 'template'] as const) {
    test(
      `a ${option} that throws is not noticed by the application`,
      onBroker(
        async (broker, spans) => {
          const orders = await roundTrip(broker)
          await ended(`process ${orders}`)
          assert.equal(spans.finished().length, 2)
        },
        { [option]: fails },
      ),
    )
  }

  test(
    'nor is a tracer or a propagator that throws',
    onBroker(async (broker) => {
      const recorder = recordSpans()
      const broken = { getTracer: () => ({ startSpan: fails, startActiveSpan: fails }) }
      instrumentation.setTracerProvider(broken as never)
      await roundTrip(broker)
      instrumentation.setTracerProvider(recorder.tracerProvider)
      propagation.disable()
      propagation.setGlobalPropagator({ inject: fails, extract: fails, fields: fails })
      try {
        await roundTrip(broker)
      } finally {
        propagation.disable()
        propagation.setGlobalPropagator(recorder.propagator)
      }
    }),
  )

  test(
    'hooks get the spans, and the application’s own messages',
    (() => {
      const told: [string, string, unknown][] = []
      const hook =
        (name: string) =>
        (span: Span, { destination, message }: { destination: string; message: unknown }) => {
          span.setAttribute('hook', name)
          told.push([name, destination, message])
        }
      return onBroker(
        async (broker, spans) => {
          const orders = await roundTrip(broker)
          await ended(`process ${orders}`)
          assert.deepEqual(
            spans.finished().map(({ attributes }) => attributes.hook),
            ['producer', 'consumer'],
          )
          assert.deepEqual(
            told.map(([name, destination]) => [name, destination]),
            [
              ['producer', orders],
              ['consumer', orders],
            ],
          )
        },
        { producerHook: hook('producer'), consumerHook: hook('consumer') },
      )
    })(),
  )

  test(
    'disabled it leaves amqplib as it was, for handlers that go on too; enabled again it traces',
    onBroker(async ({ connection, channel, queue }, spans) => {
      const confirm = await connection.createConfirmChannel()
      const methods = () =>
        [channel, confirm].flatMap((each) => {
          const prototype = Object.getPrototypeOf(each)
          return ['publish', 'consume', 'get', 'ack', 'ackAll', 'nack', 'nackAll', 'reject'].map(
            (name) => prototype[name],
          )
        })
      const orders = await queue()
      let handled = 0
      await channel.consume(orders, () => void handled++, { noAck: true })
      const wrapped = methods()
      instrumentation.disable()
      const originals = methods()
      assert.ok(originals.every((method, index) => method !== wrapped[index]))
      channel.sendToQueue(orders, Buffer.from('1'))
      const untraced = await queue()
      channel.sendToQueue(untraced, Buffer.from('2'))
      assert.deepEqual((await delivered(channel, untraced)).properties.headers, {})
      instrumentation.enable()
      assert.equal(handled, 1)
      assert.deepEqual(spans.finished(), [])
      channel.sendToQueue(orders, Buffer.from('3'))
      await ended(`process ${orders}`)
      instrumentation.disable()
      assert.deepEqual(methods(), originals)
      instrumentation.enable()
    }),
  )

  test('spans name the server, and nothing else of what connect was given', async () => {
    const { hostname, port } = new URL(url)
    const addresses = [
      `amqp://guest:guest@${hostname}:${port}/%2F?heartbeat=10`,
      { protocol: 'amqp', hostname, port: Number(port), username: 'guest', password: 'guest' },
    ]
    for (const address of addresses) {
      const recorder = recordSpans()
      recorder.reset()
      const connection = await amqp.connect(address, { clientProperties: { connection_name: 'shop' } })
      const channel = await connection.createChannel()
      const { queue } = await channel.assertQueue('', { exclusive: true })
      channel.sendToQueue(queue, Buffer.from('1'))
      await connection.close()
      const [span] = recorder.finished()
      assert.deepEqual(
        { ...FIXED, 'messaging.client.id': 'shop', ...span?.attributes },
        { ...span?.attributes },
      )
      assert.doesNotMatch(JSON.stringify(span?.attributes), /guest/)
    }
  })

  test(
    'messages are counted, sampled or not',
    onBroker(async (broker) => {
      const metrics = recordMetrics()
      const orders = await roundTrip(broker)
      await ended(`process ${orders}`)
      const series = await metrics.series()
      await metrics.stop()
      assert.deepEqual(
        series.map(({ name, unit, count, attributes }) => [
          name,
          unit,
          count,
          attributes['messaging.operation.name'],
        ]),
        [
          ['messaging.client.sent.messages', '{message}', 1, 'publish'],
          ['messaging.client.operation.duration', 's', 1, 'publish'],
          ['messaging.client.consumed.messages', '{message}', 1, 'process'],
          ['messaging.process.duration', 's', 1, 'process'],
          ['throughline.queue.duration', 's', 1, 'process'],
        ],
      )
    }),
  )
})
