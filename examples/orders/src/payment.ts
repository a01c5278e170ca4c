// Takes the money, and says so to whoever waits for it: from Kafka to RabbitMQ, in the same trace.
import { order, PAYMENT_PROCESSED, type Payment } from './events.ts'
import { ordersBroker, ordersFor } from './orders.ts'
import { PAYMENTS, PAYMENTS_EXCHANGE, paymentsBroker } from './payments.ts'
import { log, untilEnded } from './service.ts'

const broker = ordersBroker()
const rabbit = paymentsBroker()
const payments = rabbit.publisher({
  ...PAYMENTS,
  declare: { exchanges: [PAYMENTS_EXCHANGE] },
})

const subscription = await broker.subscribe(ordersFor(broker), async (event, { span }) => {
  const { orderId, cents } = order.parse(event.data)
  span.setAttribute('app.order.id', orderId)
  const data: Payment = { orderId, paymentId: `pay-${orderId}`, cents }
  // An order that comes again gives the same event again: who has seen its id needs no other way to tell.
  await payments.publish({
    id: `${event.id}-paid`,
    type: PAYMENT_PROCESSED,
    source: '/payment',
    subject: orderId,
    correlationid: event.id,
    data,
  })
})
log('subscribed to orders')
await untilEnded([broker, rabbit], subscription)
