import { randomUUID } from 'node:crypto'
import { describe } from 'node:test'
import { rabbitmq } from '@throughline/rabbitmq'
import { brokers } from '../support/pipeline.ts'
import { testDirections, type Wire } from './support/directions.ts'
import { python } from './support/program.ts'

const routingKey = 'interop.event'
const exchangeOf = (name: string) => ({ name, type: 'topic', autoDelete: true })

const wire: Wire = {
  transport: 'rabbitmq',
  async subscribe(handler) {
    const url = brokers().amqpUrl
    const exchange = `interop-${randomUUID()}`
    const broker = rabbitmq({ url })
    await broker.subscribe(
      {
        queue: exchange,
        declare: {
          exchanges: [exchangeOf(exchange)],
          queues: [{ name: exchange, autoDelete: true }],
          bindings: [{ exchange, queue: exchange, routingKey: '#' }],
        },
      },
      handler,
    )
    return { producerArgs: [url, exchange, routingKey], [Symbol.asyncDispose]: () => broker.close() }
  },
  async route(count) {
    const url = brokers().amqpUrl
    const exchange = `interop-${randomUUID()}`
    const publisher = rabbitmq({ url }).publisher({
      exchange,
      routingKey,
      declare: { exchanges: [exchangeOf(exchange)] },
    })
    // Pika binds its queue to what is there.
    await publisher.open()
    return { consumerArgs: [url, exchange, '#', String(count)], publisher: () => publisher }
  },
}

describe('RabbitMQ and Python: pika', () => testDirections('Python', python, wire))
