// Reserves what was ordered: from Kafka by @platformatic/kafka to RabbitMQ by amqplib.
import { Consumer, MessagesStreamModes, stringDeserializers } from '@platformatic/kafka'
import { connect } from 'amqplib'
import { env, eventIn, headersOf, ready } from './event.ts'

const connection = await connect(env('AMQP'))
const channel = await connection.createConfirmChannel()
await channel.assertQueue(env('RESERVED'))
const consumer = new Consumer({
  clientId: 'inventory',
  groupId: env('ORDERS'),
  bootstrapBrokers: [env('KAFKA')],
  deserializers: stringDeserializers,
})
const stream = await consumer.consume({
  topics: [env('ORDERS')],
  mode: MessagesStreamModes.EARLIEST,
  autocommit: true,
})
stream.on('data', (message) => {
  const event = eventIn((name) => message.headers.get(`ce_${name}`))
  channel.sendToQueue(env('RESERVED'), Buffer.from(message.value ?? ''), {
    headers: headersOf(event, 'cloudEvents:'),
  })
})
ready(async () => {
  await consumer.close(true)
  await channel.waitForConfirms()
  await connection.close()
})
