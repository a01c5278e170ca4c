// Tells the customer: from MQTT by MQTT.js.
import mqtt from 'mqtt'
import { env, ready } from './event.ts'

const client = await mqtt.connectAsync(env('MQTT'), {
  protocolVersion: 5,
  clientId: `notification-${env('PAID')}`,
})
client.on('message', (_topic, _payload, { properties }) => {
  console.log(`notified of ${properties?.userProperties?.id}`)
})
await client.subscribeAsync(env('SHIPPED'), { qos: 1 })
ready(() => client.endAsync())
