// Takes the money, and says so to whoever waits for it. From Kafka by kafkajs to RabbitMQ by amqplib.
import { connect } from 'amqplib'
import { order, PAYMENT_PROCESSED, type Payment } from '../src/events.ts'
import { CONTENT_TYPE, fromJson, toJson } from './events.ts'
import { group, kafka, ORDERS } from './orders.ts'
import { EXCHANGE, ROUTING_KEY, rabbitUrl } from './payments.ts'
import { ended, log } from './service.ts'

const connection = await connect(rabbitUrl())
const channel = await connection.createConfirmChannel()
await channel.assertExchange(EXCHANGE, 'topic')

const consumer = kafka.consumer({ groupId: group })
await consumer.connect()
await consumer.subscribe({ topics: [ORDERS], fromBeginning: true })
await consumer.run({
  async eachMessage({ message }) {
    const event = fromJson(String(message.value))
    const { orderId, cents } = order.parse(event.data)
    const data: Payment = { orderId, paymentId: `pay-${orderId}`, cents }
    // An order that comes again gives the same event again: who has seen its id needs no other way to tell.
    const payment = {
      id: `${event.id}-paid`,
      type: PAYMENT_PROCESSED,
      source: '/payment',
      subject: orderId,
      data,
    }
    channel.publish(EXCHANGE, ROUTING_KEY, Buffer.from(toJson(payment)), {
      contentType: CONTENT_TYPE,
      persistent: true,
    })
    await channel.waitForConfirms()
  },
})
log('subscribed to orders')

await ended()
await consumer.disconnect()
await connection.close()
