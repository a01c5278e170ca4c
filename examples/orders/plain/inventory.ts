// Reserves what was ordered. From Kafka by @platformatic/kafka.
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { order } from '../src/events.ts'
import { fromJson } from './events.ts'
import { bootstrapBrokers, group, ORDERS } from './orders.ts'
import { ended, log, serviceName } from './service.ts'

/** By sku; an order that comes again (at least once) is reserved once. */
const reserved = new Map<string, Map<string, number>>()

const consumer = new Consumer({
  clientId: serviceName,
  groupId: group,
  bootstrapBrokers,
  deserializers: stringDeserializers,
})
const stream = await consumer.consume({
  topics: [ORDERS],
  mode: 'committed',
  fallbackMode: 'earliest',
  autocommit: true,
})
log('subscribed to orders')
void ended().then(() => consumer.close(true))

for await (const { value } of stream) {
  const { orderId, sku, quantity } = order.parse(fromJson(value).data)
  reserved.set(sku, (reserved.get(sku) ?? new Map()).set(orderId, quantity))
}
