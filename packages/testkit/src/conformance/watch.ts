import type { Delivery, Settlement, Subscriber, Transport } from '@throughline/core'

/** A settlement as core's subscription handed it to the driver. */
export interface Settled {
  readonly delivery: Delivery
  readonly outcome: Settlement
}

/** What passes between core's subscription and the driver. */
export interface Watch {
  readonly handedOut: readonly Delivery[]
  readonly settled: readonly Settled[]
  /** Handed out and not settled. */
  readonly unsettled: number
  /** The most that were at one time. */
  readonly mostUnsettled: number
  /** Called at each settlement, before the driver has it. */
  onSettle: (settled: readonly Settled[]) => void
}

/** The transport, with every delivery and settlement of its subscribers counted. Changes nothing. */
export function watched<P, S>(
  transport: Transport<P, S>,
): { readonly transport: Transport<P, S>; readonly watch: Watch } {
  const handedOut: Delivery[] = []
  const settled: Settled[] = []
  const open = new Set<Delivery>()
  /** Deliveries of one connection share its signal: one listener for all of them. */
  const connections = new WeakSet<AbortSignal>()
  let mostUnsettled = 0

  /** What a lost connection takes back is no longer unsettled here: it comes again. */
  function forgetWith(signal: AbortSignal): void {
    if (connections.has(signal)) return
    connections.add(signal)
    const forget = () => {
      for (const delivery of open) if (delivery.signal === signal) open.delete(delivery)
    }
    signal.addEventListener('abort', forget, { once: true })
  }

  function watchedSubscriber(driver: Subscriber): Subscriber {
    return {
      get attributes() {
        return driver.attributes
      },
      open: () => driver.open(),
      async *deliveries(signal) {
        for await (const deliveries of driver.deliveries(signal)) {
          for (const delivery of deliveries) {
            open.add(delivery)
            handedOut.push(delivery)
            if (delivery.signal !== undefined) forgetWith(delivery.signal)
          }
          mostUnsettled = Math.max(mostUnsettled, open.size)
          yield deliveries
        }
      },
      settle(deliveries, outcome) {
        const now = deliveries.map((delivery) => ({ delivery, outcome }))
        for (const delivery of deliveries) open.delete(delivery)
        settled.push(...now)
        watch.onSettle(now)
        return driver.settle(deliveries, outcome)
      },
      close: () => driver.close(),
    }
  }

  const watch: Watch = {
    handedOut,
    settled,
    get unsettled() {
      return open.size
    },
    get mostUnsettled() {
      return mostUnsettled
    },
    onSettle: () => undefined,
  }
  return {
    watch,
    transport: { ...transport, subscriber: (options) => watchedSubscriber(transport.subscriber(options)) },
  }
}
