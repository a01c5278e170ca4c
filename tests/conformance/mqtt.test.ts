import { type MqttOptions, mqttTransport } from '@throughline/mqtt'
import { tcpProxy } from '@throughline/testkit'
import { conformance } from '@throughline/testkit/conformance'
import { ownBroker } from './support/own-broker.ts'

run('MQTT 5 with Mosquitto', {})
run('MQTT 3.1.1 with Mosquitto, in envelopes', { protocolVersion: 4, envelope: true })

function run(name: string, options: Partial<MqttOptions>): void {
  const { features } = mqttTransport({ url: 'mqtt://localhost', ...options })
  conformance({
    name,
    features,
    async setUp() {
      const broker = await ownBroker('mosquitto')
      const network = await tcpProxy({ target: new URL(broker.address).host })
      let places = 0
      return {
        async place({ shared }) {
          const topic = `place-${++places}`
          const url = `mqtt://${network.address}`
          // A client id of its own: the session is kept for whoever comes back by it.
          const transport = mqttTransport({ url, clientId: topic, connectTimeoutMs: 2000, ...options })
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
}
