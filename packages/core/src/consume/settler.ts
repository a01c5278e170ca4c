import type { Delivery, Settlement, Subscriber } from '../contract.ts'

export interface Settler {
  settle(delivery: Delivery, outcome: Settlement): void
  /** Resolves when everything settled so far has been handed to the broker. */
  flush(): Promise<void>
}

/** Gathers what is accepted within one turn of the event loop into one call: no promise and no round a message. */
export function createSettler(subscriber: Subscriber, onError: (error: Error) => void): Settler {
  let accepted: Delivery[] = []
  let scheduled = false
  const pending = new Set<Promise<void>>()

  function send(deliveries: readonly Delivery[], outcome: Settlement): void {
    const sent: Promise<void> = subscriber
      .settle(deliveries, outcome)
      .catch((error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
      .then(() => void pending.delete(sent))
    pending.add(sent)
  }

  function sendAccepted(): void {
    scheduled = false
    const deliveries = accepted
    accepted = []
    if (deliveries.length > 0) send(deliveries, { outcome: 'accept' })
  }

  function settle(delivery: Delivery, outcome: Settlement): void {
    if (outcome.outcome !== 'accept') {
      send([delivery], outcome)
      return
    }
    accepted.push(delivery)
    if (scheduled) return
    scheduled = true
    setImmediate(sendAccepted)
  }

  async function flush(): Promise<void> {
    sendAccepted()
    await Promise.all(pending)
  }

  return { settle, flush }
}
