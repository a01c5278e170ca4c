import { randomUUID } from 'node:crypto'
import type { Carrier } from '../carrier.ts'
import { queueSpans } from '../rabbitmq.ts'
import { address, Connection, instrumentation, methods } from '../rabbitmq-client.ts'

export const rabbitmqClient: Carrier = {
  name: 'rabbitmq-client',
  instrumentation,
  methods,
  async open(t) {
    const connection = new Connection(String(address))
    const publisher = connection.createPublisher({ confirm: true })
    const queue = `orders-${randomUUID()}`
    await connection.queueDeclare({ queue, exclusive: true })
    let consumer: ReturnType<typeof connection.createConsumer> | undefined
    t.after(async () => {
      await consumer?.close()
      await publisher.close()
      await connection.close()
    })
    return {
      ...queueSpans(queue),
      async consume(handle) {
        // It declares the queue again, as it is.
        const queueOptions = { exclusive: true }
        consumer = connection.createConsumer({ queue, queueOptions }, ({ headers }) => handle({ ...headers }))
      },
      async publish(headers) {
        await publisher.send({ routingKey: queue, headers }, 'one')
      },
    }
  },
}
