import { MqttInstrumentation } from '@throughline/instrumentation'
import { type Carrier, unwrapped } from '../carrier.ts'
import { connect, loadMqtt, OMIT, PROCESS, PUBLISH, SENT_AT, uniqueTopic } from '../mqtt.ts'

const instrumentation = new MqttInstrumentation()

export const mqtt: Carrier = {
  name: 'mqtt',
  instrumentation,
  methods: unwrapped(instrumentation, () => [loadMqtt().MqttClient.prototype]),
  async open(t) {
    const topic = uniqueTopic()
    const client = await connect(t)
    const place = {
      'messaging.destination.name': topic,
      'messaging.mqtt.qos': 1,
      'messaging.mqtt.retain': false,
    }
    return {
      destination: topic,
      own: ['throughline-sent-at'],
      sent: { name: `publish ${topic}`, kind: 'PRODUCER', attributes: { ...PUBLISH, ...place } },
      handled: {
        name: `process ${topic}`,
        kind: 'CONSUMER',
        attributes: { ...PROCESS, ...place, ...SENT_AT, 'throughline.outcome': 'accept' },
      },
      omit: OMIT,
      async consume(handle) {
        client.on('message', (_topic, _payload, { properties }) =>
          handle({ ...properties?.userProperties } as Record<string, string>),
        )
        await client.subscribeAsync(topic, { qos: 1 })
      },
      async publish(headers) {
        await client.publishAsync(topic, 'one', { qos: 1, properties: { userProperties: headers } })
      },
    }
  },
}
