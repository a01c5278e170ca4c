// A device: takes readings from MQTT and shows each of them to an HTTP service.
import { parseArgs } from 'node:util'
import { errorMessage, UnavailableError } from '@throughline/core'
import { shutdownTelemetry } from '@throughline/example-telemetry'
import { ended } from '@throughline/example-telemetry/end'
import { mqtt } from '@throughline/mqtt'

const { values } = parseArgs({
  options: {
    'echo-url': { type: 'string', default: process.env.ECHO_URL ?? 'http://127.0.0.1:8082/echo' },
    /** Prints the id of each reading that was handled. */
    'print-ids': { type: 'boolean', default: false },
  },
})

const edge = mqtt({
  url: process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883',
  // The same after a restart: the broker keeps what arrives in between.
  clientId: process.env.MQTT_CLIENT_ID ?? 'sensors-device',
})
/** The reading stays unacknowledged and is tried again, however long it takes. */
function away(cause: unknown): never {
  throw new UnavailableError(`the echo service is away: ${errorMessage(cause)}`, { cause })
}

// What is no event, or fails for good, is kept here and does not stop the device.
const dead = edge.publisher({ topic: 'dead/device' })
const subscription = await edge.subscribe(
  {
    topics: ['sensors/+/reading'],
    qos: 1,
    template: 'sensors/{id}/reading',
    deadLetter: { publisher: dead },
    onProblem(problem) {
      if ('error' in problem) console.error(`device: ${problem.kind}: ${problem.error.message}`)
    },
  },
  async (event, { signal }) => {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, signal }
    const response = await fetch(values['echo-url'], { ...request, body: JSON.stringify(event.data) }).catch(
      away,
    )
    await response.arrayBuffer()
    if (response.status >= 500) away(`it answered ${response.status}`)
    if (!response.ok) throw new Error(`the echo service answered ${response.status}`)
    if (values['print-ids']) console.log(event.id)
  },
)
console.error('device: subscribed to sensors/+/reading')

await Promise.race([ended(), subscription.closed])
await edge.close()
await shutdownTelemetry()
