// Publishes orders again, as they stand in the topic; their consumers handle them in traces of their own, linked to the
// first time: npm start -- src/replay.ts --order 4711
import { parseArgs } from 'node:util'
import { headerText, type Message, REPLAY_HEADER, withReplay } from '@throughline/core'
import { shutdownTelemetry } from '@throughline/example-telemetry'
import { ORDERS, ordersBroker } from './orders.ts'
import { log } from './service.ts'

const { values } = parseArgs({
  options: {
    /** The order to replay. Default: all. */
    order: { type: 'string' },
    /** Without a message for so long, the end of the topic is reached. */
    'idle-ms': { type: 'string', default: '1000' },
  },
})

const broker = ordersBroker()
const { transport } = broker
const found: Message[] = []
const end = new AbortController()
const idle = setTimeout(() => end.abort(), Number(values['idle-ms']))

// The driver alone, which makes no spans, and no group: nobody's position moves.
const reader = transport.subscriber({ topics: [ORDERS], start: 'earliest' })
for await (const deliveries of reader.deliveries(end.signal)) {
  idle.refresh()
  for (const { message } of deliveries) {
    if (headerText(message.headers, REPLAY_HEADER) !== null) continue
    const event = transport.binding.decode(message)
    if (values.order === undefined || event.subject === values.order) found.push({ ...message, event })
  }
  await reader.settle(deliveries, { outcome: 'accept' })
}
await reader.close()

const orders = broker.publisher({ topic: ORDERS, createSpans: false })
const results = await orders.publishMessages(found.map(withReplay))
for (const result of results) if (!result.ok) log(result.error.message)
const replayed = results.filter(({ ok }) => ok).length
log(`replayed ${replayed} of ${found.length} orders`)
await broker.close()
await shutdownTelemetry()
process.exitCode = found.length > 0 && replayed === found.length ? 0 : 1
