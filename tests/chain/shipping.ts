// Sends the parcel: from RabbitMQ by amqplib to MQTT by MQTT.js.
import { connect } from 'amqplib'
import mqtt from 'mqtt'
import { env, eventIn, ready } from './event.ts'

const client = await mqtt.connectAsync(env('MQTT'), {
  protocolVersion: 5,
  clientId: `shipping-${env('PAID')}`,
})
const connection = await connect(env('AMQP'))
const channel = await connection.createChannel()
await channel.assertQueue(env('PAID'))
await channel.consume(env('PAID'), async (message) => {
  if (message === null) return
  const userProperties = eventIn((name) => message.properties.headers?.[`cloudEvents:${name}`])
  await client.publishAsync(env('SHIPPED'), message.content, { qos: 1, properties: { userProperties } })
  channel.ack(message)
})
ready(async () => {
  await connection.close()
  await client.endAsync()
})
