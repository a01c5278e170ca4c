// A device: takes readings from MQTT and shows each of them to an HTTP service. By MQTT.js and fetch.
import { parseArgs } from 'node:util'
import { connectAsync } from 'mqtt'
import { ended } from './ended.ts'

const { values } = parseArgs({
  options: {
    'echo-url': { type: 'string', default: process.env.ECHO_URL ?? 'http://127.0.0.1:8082/echo' },
    /** Prints the id of each reading that was handled. */
    'print-ids': { type: 'boolean', default: false },
  },
})

const client = await connectAsync(process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883', {
  protocolVersion: 5,
  // The same after a restart: the broker keeps what arrives in between.
  clientId: process.env.MQTT_CLIENT_ID ?? 'plain-sensors-device',
  clean: false,
  properties: { sessionExpiryInterval: 3600 },
})

client.on('message', async (topic, payload, { properties }) => {
  try {
    // A CloudEvent: its attributes stand round the reading, or in user properties.
    const content = JSON.parse(String(payload))
    const isStructured = content.specversion !== undefined
    const response = await fetch(values['echo-url'], {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(isStructured ? content.data : content),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`the echo service answered ${response.status}`)
    if (values['print-ids']) console.log(isStructured ? content.id : properties?.userProperties?.id)
  } catch (error) {
    console.error(`device: ${topic}: ${error}`)
  }
})
await client.subscribeAsync('sensors/+/reading', { qos: 1 })
console.error('device: subscribed to sensors/+/reading')

await ended()
await client.endAsync()
