import type { Delivery, Settlement, Subscriber } from '../contract.ts'
import { processTracer } from '../tracing/process.ts'
import type { ConsumeSetting } from './giveup.ts'
import { deliveryHandler, type HandlerSetting, type Work } from './handler.ts'
import { createLanes, type Lanes } from './lanes.ts'

/** Takes the deliveries of a subscription as they arrive and sees each to its settlement. */
export interface Dispatcher extends Omit<Lanes<Work>, 'add'> {
  /** Once closed it gives the delivery back. */
  add(delivery: Delivery): void
}

/** Given back unhandled: to be delivered again. */
export const RELEASE: Settlement = { outcome: 'release', delayMs: 1000 }

/** Deliveries one by one, side by side but for those of one key. */
export function dispatchEach(
  handler: HandlerSetting['handler'],
): (setting: ConsumeSetting, subscriber: Subscriber) => Dispatcher {
  return (setting, subscriber) => {
    const { transport, options, settle } = setting
    const startProcess = processTracer(transport, subscriber, options)
    const { begin, step } = deliveryHandler({ ...setting, handler, startProcess })
    const lanes = createLanes<Work>(options.concurrency ?? 16, {
      keyOf: ({ delivery }) => delivery.orderKey,
      step,
      onAbandoned: ({ delivery }) => settle(delivery, RELEASE),
    })
    return { ...lanes, add: (delivery) => lanes.add(begin(delivery)) }
  }
}
