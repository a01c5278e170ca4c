import { mqttTransport } from '@throughline/mqtt'
import { tcpProxy } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'
import { ownBroker } from './support/own-broker.ts'

const { features } = mqttTransport({ url: 'mqtt://localhost' })

conformance({
  name: 'MQTT with Mosquitto',
  features,
  async setUp() {
    const broker = await ownBroker('mosquitto')
    const network = await tcpProxy({ target: new URL(broker.address).host })
    let places = 0
    return {
      async place({ shared }) {
        const topic = `place-${++places}`
        const transport = mqttTransport({
          url: `mqtt://${network.address}`,
          clientId: topic,
          connectTimeoutMs: 2000,
        })
        return {
          transport,
          publisher: ({ timeoutMs }) => ({ topic, timeoutMs }),
          subscriber: ({ window, member }) => ({
            topics: [topic],
            window,
            ...(shared && member !== undefined ? { share: 'workers', session: member } : {}),
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
