// A shop as its authors wrote it: an order is confirmed, paid for by a call to another service, and handled twice.

/** @param {Pick<typeof import('rabbitmq-client'), 'Connection'>} rabbitmq */
exports.run = async ({ Connection }) => {
  const url = new URL(process.env.AMQP_URL ?? 'amqp://localhost')
  if (url.username === '') Object.assign(url, { username: 'guest', password: 'guest' })
  const connection = new Connection(String(url))
  await connection.queueDeclare({ queue: 'app.client.orders' })
  await connection.queueDeclare({ queue: 'app.client.payments' })

  const payments = connection.createConsumer({ queue: 'app.client.payments' }, async ({ body }, reply) => {
    await reply(`${body} is paid`)
  })
  const caller = connection.createRPCClient()
  let attempts = 0
  const handled = new Promise((resolve) => {
    const orders = connection.createConsumer({ queue: 'app.client.orders' }, async ({ body }) => {
      if (++attempts === 1) return 1
      const answer = await caller.send('app.client.payments', body)
      setImmediate(resolve, [orders, answer.body])
      return 0
    })
  })
  const publisher = connection.createPublisher({ confirm: true })
  await publisher.send({ routingKey: 'app.client.orders', messageId: 'order' }, 'order')
  const [orders, answer] = await handled
  console.log(answer)

  for (const each of [orders, payments, caller, publisher]) await each.close()
  await connection.queueDelete('app.client.orders')
  await connection.queueDelete('app.client.payments')
  await connection.close()
}
