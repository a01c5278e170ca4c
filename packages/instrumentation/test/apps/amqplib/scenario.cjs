// A shop as its authors wrote it: orders are confirmed, handled, paid for; one is refused and kept apart.

/** @param {{ connect: typeof import('amqplib').connect }} amqplib */
exports.run = async ({ connect }) => {
  const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost')
  const consumer = await connection.createChannel()
  const publisher = await connection.createConfirmChannel()
  const refused = { deadLetterExchange: '', deadLetterRoutingKey: 'app.refused', exclusive: true }
  await consumer.assertQueue('app.orders', refused)
  await consumer.assertQueue('app.payments', { exclusive: true })
  await consumer.assertQueue('app.refused', { exclusive: true })

  const done = new Promise((resolve) => {
    let left = 2
    const count = () => --left || resolve(undefined)
    void consumer.consume('app.payments', () => count(), { noAck: true })
    void consumer.consume('app.refused', (message) => {
      if (message !== null) consumer.ack(message)
      count()
    })
  })
  await consumer.consume('app.orders', async (message) => {
    if (message === null) return
    if (message.content.toString() === 'bad') {
      consumer.reject(message, false)
      return
    }
    await new Promise((resolve) => {
      publisher.publish('amq.topic', 'app.paid', Buffer.from('paid'), {}, resolve)
    })
    consumer.ack(message)
  })
  await consumer.bindQueue('app.payments', 'amq.topic', 'app.paid')

  publisher.sendToQueue('app.orders', Buffer.from('good'), { messageId: 'good' })
  publisher.sendToQueue('app.orders', Buffer.from('bad'), { messageId: 'bad' })
  await publisher.waitForConfirms()
  await done
  await connection.close()
}
