// Counts what is sold, up to 500 orders at a time: one process span that links to every order in it.
import { order } from './events.ts'
import { ordersBroker, ordersFor } from './orders.ts'
import { log, untilEnded } from './service.ts'

const broker = ordersBroker()
/** Cents by sku. */
const revenue = new Map<string, number>()

const subscription = await broker.subscribeBatch(
  { ...ordersFor(broker), maxMessages: 500, maxWaitMs: 2000 },
  (events) => {
    for (const { data } of events) {
      const { sku, cents } = order.parse(data)
      revenue.set(sku, (revenue.get(sku) ?? 0) + cents)
    }
    console.log(events.length)
  },
)
log('subscribed to orders')
await untilEnded([broker], subscription)
