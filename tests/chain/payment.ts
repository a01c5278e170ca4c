// Takes the money: from RabbitMQ to RabbitMQ by rabbitmq-client.
import { Connection } from 'rabbitmq-client'
import { env, eventIn, headersOf, ready } from './event.ts'

const connection = new Connection(env('AMQP'))
const publisher = connection.createPublisher({
  confirm: true,
  queues: [{ queue: env('PAID'), durable: true }],
})
const consumer = connection.createConsumer(
  { queue: env('RESERVED'), queueOptions: { durable: true } },
  async ({ headers, body }) => {
    const event = eventIn((name) => headers?.[`cloudEvents:${name}`])
    await publisher.send({ routingKey: env('PAID'), headers: headersOf(event, 'cloudEvents:') }, body)
  },
)
consumer.once('ready', () =>
  ready(async () => {
    await consumer.close()
    await publisher.close()
    await connection.close()
  }),
)
