const { Kafka, logLevel } = require('kafkajs')

// Without a connection a send fails at once, and its span says so: no broker is needed for one.
const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
const sent = kafka.producer().send({ topic: 'orders', messages: [{ value: 'one' }] })
sent.then(
  () => console.log('sent'),
  (/** @type {Error} */ { name }) => console.log(name),
)
