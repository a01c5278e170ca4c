// Ships what is paid: takes payments from a queue of RabbitMQ.
import { payment } from './events.ts'
import { PAYMENTS, PAYMENTS_EXCHANGE, paymentsBroker } from './payments.ts'
import { log, onProblem, untilEnded } from './service.ts'

const rabbit = paymentsBroker()
const queue = 'shipping.payments'

const subscription = await rabbit.subscribe(
  {
    queue,
    declare: {
      exchanges: [PAYMENTS_EXCHANGE],
      queues: [{ name: queue }],
      bindings: [{ queue, ...PAYMENTS }],
    },
    onExhausted: 'drop',
    onProblem,
  },
  (event, { span }) => {
    const { orderId } = payment.parse(event.data)
    span.setAttribute('app.order.id', orderId)
    console.log(orderId)
  },
)
log(`subscribed to ${queue}`)
await untilEnded([rabbit], subscription)
