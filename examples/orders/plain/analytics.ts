// Counts what is sold, many orders at a time. From Kafka by kafkajs's eachBatch.
import { order } from '../src/events.ts'
import { fromJson } from './events.ts'
import { group, kafka, ORDERS } from './orders.ts'
import { ended, log } from './service.ts'

/** Cents by sku. */
const revenue = new Map<string, number>()

// What comes within two seconds, or about 500 orders.
const consumer = kafka.consumer({ groupId: group, minBytes: 150_000, maxWaitTimeInMs: 2000 })
await consumer.connect()
await consumer.subscribe({ topics: [ORDERS], fromBeginning: true })
await consumer.run({
  async eachBatch({ batch }) {
    for (const { value } of batch.messages) {
      const { sku, cents } = order.parse(fromJson(String(value)).data)
      revenue.set(sku, (revenue.get(sku) ?? 0) + cents)
    }
    console.log(batch.messages.length)
  },
})
log('subscribed to orders')

await ended()
await consumer.disconnect()
