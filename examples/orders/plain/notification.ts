// Writes to the customer. The mail server refuses each letter twice before it takes it, as greylisting does.
// From Kafka by kafkajs, which hands a message over again whose handler threw.
import { order } from '../src/events.ts'
import { fromJson } from './events.ts'
import { group, kafka, ORDERS } from './orders.ts'
import { ended, log } from './service.ts'

/** How often each letter was refused. */
const refusals = new Map<string, number>()

function sendMail(orderId: string): void {
  const refused = refusals.get(orderId) ?? 0
  if (refused === 2) {
    refusals.delete(orderId)
    return
  }
  refusals.set(orderId, refused + 1)
  throw new Error(`451 4.7.1 greylisted, try again later: order ${orderId}`)
}

const consumer = kafka.consumer({
  groupId: group,
  // Counted over all that was fetched together.
  retry: { initialRetryTime: 100, maxRetryTime: 200, retries: 1000 },
})
await consumer.connect()
await consumer.subscribe({ topics: [ORDERS], fromBeginning: true })
await consumer.run({
  partitionsConsumedConcurrently: 3,
  async eachMessage({ message }) {
    sendMail(order.parse(fromJson(String(message.value)).data).orderId)
  },
})
log('subscribed to orders')

await ended()
await consumer.disconnect()
