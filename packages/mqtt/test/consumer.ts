import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { mqttTransport } from '../src/transport.ts'

/**
 * A consumer to be killed: writes `delivered <body>` for each message that reaches it and `handled <body>` when its
 * handling is over, to a file at once, and settles only then, in whatever order the handling ends.
 */
const [url = '', clientId = '', topic = '', log = ''] = process.argv.slice(2)
const subscriber = mqttTransport({ url, clientId }).subscriber({ topics: [topic], window: 64 })

for await (const deliveries of subscriber.deliveries()) {
  for (const delivery of deliveries) {
    const body = Buffer.from(delivery.message.body ?? []).toString()
    appendFileSync(log, `delivered ${body}\n`)
    void delay(Math.random() * 5).then(() => {
      appendFileSync(log, `handled ${body}\n`)
      return subscriber.settle([delivery], { outcome: 'accept' })
    })
  }
}
