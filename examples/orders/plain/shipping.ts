// Ships what is paid. From a queue of RabbitMQ by rabbitmq-client.
import { Connection } from 'rabbitmq-client'
import { payment } from '../src/events.ts'
import { fromJson } from './events.ts'
import { EXCHANGE, ROUTING_KEY, rabbitUrl } from './payments.ts'
import { ended, log } from './service.ts'

const queue = 'plain-shipping.payments'

const connection = new Connection(rabbitUrl())
connection.on('error', (error) => log(String(error)))
const consumer = connection.createConsumer(
  {
    queue,
    queueOptions: { durable: true },
    exchanges: [{ exchange: EXCHANGE, type: 'topic', durable: true }],
    queueBindings: [{ exchange: EXCHANGE, routingKey: ROUTING_KEY }],
  },
  async ({ body }) => {
    const { orderId } = payment.parse(fromJson(String(body)).data)
    console.log(orderId)
  },
)
consumer.on('error', (error) => log(String(error)))
consumer.once('ready', () => log(`subscribed to ${queue}`))

await ended()
await consumer.close()
await connection.close()
