// Reserves what was ordered.
import { order } from './events.ts'
import { ordersBroker, ordersFor } from './orders.ts'
import { log, untilEnded } from './service.ts'

const broker = ordersBroker()
/** By sku; an order that comes again (at least once) is reserved once. */
const reserved = new Map<string, Map<string, number>>()

const subscription = await broker.subscribe(ordersFor(broker), (event, { span }) => {
  const { orderId, sku, quantity } = order.parse(event.data)
  span.setAttribute('app.order.id', orderId)
  reserved.set(sku, (reserved.get(sku) ?? new Map()).set(orderId, quantity))
})
log('subscribed to orders')
await untilEnded([broker], subscription)
