import { kafkaTransport } from '@throughline/kafka'

/**
 * A group member as a process of its own, for tests that kill it or wait for its end. Arguments: topic, group, how many
 * to settle, how many to read. Prints each body; then waits to be killed, or with `close` closes and ends by itself.
 */
const [topic = '', group = '', settleCount = '0', readCount = '0', then = ''] = process.argv.slice(2)
const { KAFKA_BROKERS = '' } = process.env
const transport = kafkaTransport({ brokers: KAFKA_BROKERS })
const subscriber = transport.subscriber({ topics: [topic], group, sessionTimeoutMs: 3000, revokeGraceMs: 0 })
const publisher = transport.publisher({ topic })
await publisher.open()

let read = 0
for await (const deliveries of subscriber.deliveries()) {
  for (const delivery of deliveries) {
    console.log(String(delivery.message.body && Buffer.from(delivery.message.body)))
    if (read++ < Number(settleCount)) await subscriber.settle([delivery], { outcome: 'accept' })
  }
  if (read >= Number(readCount)) break
}
if (then === 'close') {
  await publisher.close()
  await subscriber.close()
} else {
  console.log('waiting')
  setInterval(() => undefined, 1000)
}
