import { Kafka, logLevel } from 'kafkajs'

// As send.cjs.
const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
try {
  await kafka.producer().send({ topic: 'orders', messages: [{ value: 'one' }] })
  console.log('sent')
} catch (error) {
  console.log(error instanceof Error ? error.name : error)
}
