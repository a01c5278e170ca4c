// A weather station: posts a reading a second to the webhook, each of them a CloudEvent.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { errorMessage } from '@throughline/core'
import { shutdownTelemetry } from '@throughline/example-telemetry'
import { ended } from '@throughline/example-telemetry/end'
import { http } from '@throughline/http'
import { readings } from './readings.ts'

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

const web = http()
const plain = web.publisher({ url: values.to })
// The trace in which the reading was taken goes with it for good, whatever hops follow.
const withOrigin = web.publisher({ url: values.to, origin: true })

const stop = new AbortController()
void ended().then(() => stop.abort())

async function post(index: number, data: object): Promise<void> {
  const event = {
    id: randomUUID(),
    type: 'com.example.sensor.reading',
    source: '/stations/seattle',
    subject: `sensor-00${(index % 3) + 1}`,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data,
  }
  const publisher = index % 2 === 0 ? plain : withOrigin
  // Two binary ones and two structured ones in turn, so that both kinds go out with and without an origin.
  const mode = index % 4 < 2 ? 'binary' : 'structured'
  try {
    await publisher.publish(event, { mode })
    if (values['print-ids']) console.log(event.id)
  } catch (error) {
    // A reading that was refused or could not be sent is lost to a station without a store; the next one is not.
    console.error(`station: reading ${event.id} was not taken: ${errorMessage(error)}`)
  }
}

const inFlight = new Set<Promise<void>>()
let index = 0
const startedAt = performance.now()
for await (const reading of readings()) {
  if (index >= count || stop.signal.aborted) break
  const posted = post(index++, reading)
  inFlight.add(posted)
  void posted.finally(() => inFlight.delete(posted))
  // By the clock and not by pauses, which would add up; no more under way than a webhook takes at one time.
  const waitMs = startedAt + index * intervalMs - performance.now()
  if (waitMs > 0) await pause(waitMs, undefined, { signal: stop.signal }).catch(() => {})
  if (inFlight.size >= 64) await Promise.race(inFlight)
}
await Promise.all(inFlight)
await web.close()
await shutdownTelemetry()
// The handlers of signals would keep nothing running, but a station that is done says so at once.
process.exit()
