import { rabbitmqTransport } from '@throughline/rabbitmq'
import { tcpProxy } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'
import { ownBroker } from './support/own-broker.ts'

const { features } = rabbitmqTransport({ url: 'amqp://localhost' })

conformance({
  name: 'RabbitMQ',
  features,
  async setUp() {
    const broker = await ownBroker('rabbitmq')
    const network = await tcpProxy({ target: new URL(broker.address).host })
    let places = 0
    return {
      async place() {
        const queue = `place-${++places}`
        const declare = { queues: [{ name: queue }] }
        return {
          transport: rabbitmqTransport({ url: `amqp://${network.address}`, connectTimeoutMs: 2000 }),
          publisher: ({ timeoutMs }) => ({ routingKey: queue, declare, timeoutMs }),
          subscriber: ({ window }) => ({ queue, declare, window }),
        }
      },
      network,
      restart: broker.restart,
      async [Symbol.asyncDispose]() {
        await network.close()
        await broker[Symbol.asyncDispose]()
      },
    }
  },
})
