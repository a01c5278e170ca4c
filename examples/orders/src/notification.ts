// Writes to the customer. The mail server refuses each letter twice before it takes it, as greylisting does.
import { order } from './events.ts'
import { ordersBroker, ordersFor } from './orders.ts'
import { log, untilEnded } from './service.ts'

const broker = ordersBroker()

function sendMail(orderId: string, attempt: number): void {
  if (attempt < 3) throw new Error(`451 4.7.1 greylisted, try again later: order ${orderId}`)
}

const subscription = await broker.subscribe(ordersFor(broker), (event, { span, attempt }) => {
  const { orderId } = order.parse(event.data)
  span.setAttribute('app.order.id', orderId)
  sendMail(orderId, attempt)
})
log('subscribed to orders')
await untilEnded([broker], subscription)
