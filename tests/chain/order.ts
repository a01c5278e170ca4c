// An order for each line of its input, to Kafka by kafkajs.
import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'
import { env, headersOf, ready } from './event.ts'

const kafka = new Kafka({ brokers: [env('KAFKA')], clientId: 'order', logLevel: logLevel.ERROR })
const producer = kafka.producer()
await producer.connect()
const lines = createInterface({ input: process.stdin })
lines.on('line', async (id) => {
  const event = {
    id,
    source: '/orders',
    type: 'com.example.order.created',
    specversion: '1.0',
    subject: '4711',
  }
  const message = { key: '4711', value: '{"sku":"A-1"}', headers: headersOf(event, 'ce_') }
  await producer.send({ topic: env('ORDERS'), messages: [message] })
})
ready(async () => {
  lines.close()
  await producer.disconnect()
})
