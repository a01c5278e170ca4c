import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, type Delivery, type Subscriber, UnavailableError } from '@throughline/core'

const BACKOFF = { minMs: 200, maxMs: 10_000 }

/** What a reader tells of, beside what it reads. */
export interface ReadEvents {
  readonly onDelivery: (delivery: Delivery) => Promise<void>
  /** Connected for the first time. */
  readonly onReady: () => void
  /** Not connected any more; it is tried again. */
  readonly onLost: (error: Error, retryMs: number) => void
}

/**
 * Reads until the signal is aborted, connecting again where the connection is lost. Throws where it cannot connect at
 * first, or never will again.
 */
export async function readEach(
  subscriber: Subscriber,
  events: ReadEvents,
  signal: AbortSignal,
): Promise<void> {
  await subscriber.open()
  events.onReady()
  for (let failures = 0; !signal.aborted; ) {
    try {
      for await (const deliveries of subscriber.deliveries(signal)) {
        failures = 0
        let count = 0
        for (const delivery of deliveries) {
          if (signal.aborted) break
          await events.onDelivery(delivery)
          count++
        }
        await subscriber.settle(deliveries.slice(0, count), { outcome: 'accept' })
      }
      return
    } catch (error) {
      // Whoever ends it while it is not connected has what was asked for.
      if (signal.aborted) return
      if (!(error instanceof UnavailableError)) throw error
      const retryMs = backoffMs(++failures, BACKOFF)
      events.onLost(error, retryMs)
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
}
