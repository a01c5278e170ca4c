// A weather station: posts a reading a second to the webhook, each of them a CloudEvent. By fetch.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readings } from '../src/readings.ts'
import { ended } from './ended.ts'

const { values } = parseArgs({
  options: {
    to: { type: 'string', default: process.env.WEBHOOK_URL ?? 'http://127.0.0.1:8081/events' },
    /** Readings a second. */
    rate: { type: 'string', default: '1' },
    /** How many until the station ends; without it, it goes on. */
    count: { type: 'string', default: 'Infinity' },
    /** Prints the id of each reading that was answered 2xx. */
    'print-ids': { type: 'boolean', default: false },
  },
})
const intervalMs = 1000 / Number(values.rate)
const count = Number(values.count)
if (!(intervalMs > 0) || !(count >= 0)) throw new Error('--rate and --count must be numbers above 0')

const stop = new AbortController()
void ended().then(() => stop.abort())

async function post(index: number, data: object): Promise<void> {
  const id = randomUUID()
  const event = {
    specversion: '1.0',
    id,
    type: 'com.example.sensor.reading',
    source: '/stations/seattle',
    subject: `sensor-00${(index % 3) + 1}`,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data,
  }
  const headers = { 'content-type': 'application/cloudevents+json' }
  try {
    const response = await fetch(values.to, { method: 'POST', headers, body: JSON.stringify(event) })
    const problem = await response.text()
    if (!response.ok) throw new Error(`${response.status} ${problem}`)
    if (values['print-ids']) console.log(id)
  } catch (error) {
    // A reading that was refused or could not be sent is lost to a station without a store; the next one is not.
    console.error(`station: reading ${id} was not taken: ${error}`)
  }
}

let index = 0
for await (const reading of readings()) {
  if (index >= count || stop.signal.aborted) break
  void post(index++, reading)
  await pause(intervalMs, undefined, { signal: stop.signal }).catch(() => {})
}
