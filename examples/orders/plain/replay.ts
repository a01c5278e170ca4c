// Publishes orders again, as they stand in the topic: npm run plain -- plain/replay.ts --order 4711
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { kafka, ORDERS } from './orders.ts'
import { log } from './service.ts'

const { values } = parseArgs({
  options: {
    /** The order to replay. Default: all. */
    order: { type: 'string' },
    /** Headers that are put on each of them, name=value. */
    header: { type: 'string', multiple: true, default: [] },
  },
})
const more = Object.fromEntries(values.header.map((pair) => pair.split('=', 2)))

// A group of its own, which commits nothing: nobody's position moves.
const groupId = `replay-${randomUUID()}`
const admin = kafka.admin()
const producer = kafka.producer()
const consumer = kafka.consumer({ groupId })
for (const client of [admin, producer, consumer]) await client.connect()

// Up to what is there now: what is published here is not to be read again.
const offsets = await admin.fetchTopicOffsets(ORDERS)
const left = new Map(
  offsets.flatMap(({ partition, low, high }) => (low === high ? [] : [[partition, BigInt(high) - 1n]])),
)
let replayed = 0
const done = Promise.withResolvers<void>()
if (left.size === 0) done.resolve()

await consumer.subscribe({ topics: [ORDERS], fromBeginning: true })
await consumer.run({
  autoCommit: false,
  async eachMessage({ partition, message: { key, value, headers, offset } }) {
    const last = left.get(partition)
    if (last === undefined || BigInt(offset) > last) return
    if (values.order === undefined || String(key) === values.order) {
      await producer.send({ topic: ORDERS, messages: [{ key, value, headers: { ...headers, ...more } }] })
      replayed++
    }
    if (BigInt(offset) === last) left.delete(partition)
    if (left.size === 0) done.resolve()
  },
})
await done.promise
await consumer.disconnect()
await admin.deleteGroups([groupId])
await producer.disconnect()
await admin.disconnect()
log(`replayed ${replayed} orders`)
process.exitCode = replayed > 0 ? 0 : 1
