// A publisher from before tracing: MQTT.js and hand-written JSON, no context and no telemetry of any kind.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ended } from '@throughline/example-telemetry/end'
import { connectAsync } from 'mqtt'
import { readings } from './readings.ts'

const { values } = parseArgs({
  options: {
    /** Readings a second: one for every ten of the station. */
    rate: { type: 'string', default: '0.1' },
    count: { type: 'string', default: 'Infinity' },
    'print-ids': { type: 'boolean', default: false },
  },
})
const intervalMs = 1000 / Number(values.rate)
const count = Number(values.count)
if (!(intervalMs > 0) || !(count >= 0)) throw new Error('--rate and --count must be numbers above 0')

const stop = new AbortController()
void ended().then(() => stop.abort())

const client = await connectAsync(process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883', { protocolVersion: 5 })
let index = 0
for await (const reading of readings()) {
  if (index++ >= count || stop.signal.aborted) break
  const id = randomUUID()
  const event = {
    specversion: '1.0',
    id,
    type: 'com.example.sensor.reading',
    source: '/stations/legacy',
    subject: 'legacy-001',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: reading,
  }
  await client.publishAsync('sensors/legacy-001/reading', JSON.stringify(event), { qos: 1 })
  if (values['print-ids']) console.log(id)
  if (index < count) await pause(intervalMs, undefined, { signal: stop.signal }).catch(() => {})
}
await client.endAsync()
