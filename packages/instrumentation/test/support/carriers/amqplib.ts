import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { amqp, instrumentation, methods } from '../amqplib.ts'
import type { Carrier } from '../carrier.ts'
import { queueSpans, url } from '../rabbitmq.ts'

export const amqplib: Carrier = {
  name: 'amqplib',
  instrumentation,
  methods,
  async open(t) {
    const connection = await amqp.connect(url)
    t.after(() => connection.close())
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue(`orders-${randomUUID()}`, { exclusive: true })
    return {
      ...queueSpans(queue),
      async consume(handle) {
        await channel.consume(queue, (message) => {
          if (message === null) return
          handle(message.properties.headers as Record<string, string>)
          channel.ack(message)
        })
      },
      async publish(headers) {
        await promisify((confirmed: (error: unknown) => void) =>
          channel.sendToQueue(queue, Buffer.from('one'), { headers }, confirmed),
        )()
      },
    }
  },
}
