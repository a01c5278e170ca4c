const { createServer } = require('node:http')
const { Kafka, logLevel } = require('kafkajs')

// A service that sends what it is asked for, and one request to it.
const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
const server = createServer((_request, response) => {
  const sent = kafka.producer().send({ topic: 'orders', messages: [{ value: 'one' }] })
  sent.catch((/** @type {Error} */ { name }) => response.end(name))
})
server.listen(0, '127.0.0.1', async () => {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const answer = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST' })
  console.log(await answer.text())
  server.close()
  server.closeAllConnections()
})
