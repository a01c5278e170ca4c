import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'
import { MqttInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import { PASSWORD, type SecureMosquitto, startSecureMosquitto } from './support/secure-mosquitto.ts'

recordSpans()
new MqttInstrumentation()
const { connectAsync } = createRequire(import.meta.url)('mqtt') as typeof import('mqtt')

let broker: SecureMosquitto
before(async () => {
  broker = await startSecureMosquitto()
})
after(() => broker?.[Symbol.asyncDispose]())

const ways = {
  'TLS with a client certificate': () => ({ url: broker.certified, ...broker.certificates.client }),
  TLS: () => ({ url: broker.tls }),
  WebSocket: () => ({ url: broker.ws }),
  'WebSocket over TLS': () => ({ url: broker.wss }),
  'a user and a password': () => ({ url: broker.login.replace('//', `//alice:${PASSWORD}@`) }),
}

describe('MQTT.js under its instrumentation', () => {
  for (const [way, options] of Object.entries(ways)) {
    test(`by ${way}: contexts go through, and spans name the broker and no secret`, () =>
      withSpans(async (spans) => {
        const { url, ...given } = options()
        const [clientId, topic] = [`app-${randomUUID()}`, randomUUID()]
        const { ca } = broker.certificates
        const client = await connectAsync(url, { protocolVersion: 5, clientId, ca, ...given })
        await client.subscribeAsync(topic, { qos: 1 })
        client.on('message', () => {})
        await client.publishAsync(topic, 'hello', { qos: 1 })
        await eventually(() => assert.equal(spans.finished().length, 2))
        await client.endAsync()
        const attributes = {
          'messaging.system': 'mqtt',
          'messaging.destination.name': topic,
          'messaging.client.id': clientId,
          'messaging.mqtt.qos': 1,
          'messaging.mqtt.retain': false,
          'server.address': '127.0.0.1',
          'server.port': Number(new URL(url).port),
        }
        const publish = `publish ${topic}`
        assert.deepEqual(spans.tree({ omit: ['messaging.mqtt.packet_id', 'throughline.sent_at'] }), [
          {
            name: publish,
            kind: 'PRODUCER',
            trace: 1,
            parent: null,
            attributes: {
              ...attributes,
              'messaging.operation.name': 'publish',
              'messaging.operation.type': 'send',
            },
            children: [
              {
                name: `process ${topic}`,
                kind: 'CONSUMER',
                trace: 1,
                parent: publish,
                links: [{ to: publish }],
                attributes: {
                  ...attributes,
                  'messaging.operation.name': 'process',
                  'messaging.operation.type': 'process',
                  'throughline.sent_at_source': 'header',
                  'throughline.outcome': 'accept',
                },
              },
            ],
          },
        ])
      }))
  }
})
