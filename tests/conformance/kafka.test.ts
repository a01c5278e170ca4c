import { createTopics, kafkaTransport } from '@throughline/kafka'
import { conformance } from '@throughline/testkit/conformance'
import { kafkaProxy } from '../../packages/kafka/test/relay.ts'
import { ownBroker } from './support/own-broker.ts'

const { features } = kafkaTransport({ brokers: 'localhost' })
const TOPIC = { partitions: 3, replicas: 1, settings: { 'max.message.bytes': '2097152' } }

for (const groupProtocol of ['classic', 'consumer'] as const) {
  conformance({
    name: `Kafka, ${groupProtocol} groups`,
    features,
    async setUp() {
      const broker = await ownBroker('kafka')
      const network = await kafkaProxy(broker.address)
      let places = 0
      return {
        async place() {
          const topic = `place-${++places}`
          await createTopics({ brokers: broker.address }, [{ name: topic, ...TOPIC }])
          return {
            transport: kafkaTransport({ brokers: network.address, connectTimeoutMs: 2000 }),
            publisher: ({ timeoutMs }) => ({ topic, timeoutMs }),
            subscriber: ({ window }) => ({
              topics: [topic],
              group: topic,
              groupProtocol,
              window,
              // The broker says it for the other protocol.
              ...(groupProtocol === 'classic' ? { sessionTimeoutMs: 6000 } : {}),
              revokeGraceMs: 500,
              lostAfterMs: 2000,
            }),
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
}
