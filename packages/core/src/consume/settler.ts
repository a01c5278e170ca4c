import type { Span } from '@opentelemetry/api'
import type { Delivery, Settlement, Subscriber } from '../contract.ts'
import type { EndSettle, Settling } from '../tracing/settle.ts'

export interface Settler {
  /** `process` is the span in which the delivery was handled. */
  settle(delivery: Delivery, outcome: Settlement, process?: Span): void
  /** Resolves when everything settled so far has been handed to the broker. */
  flush(): Promise<void>
}

/** Gathers what is accepted within one turn of the event loop into one call: no promise and no round a message. */
export function createSettler(
  subscriber: Subscriber,
  onError: (error: Error) => void,
  startSettle?: (settled: readonly Settling[], outcome: Settlement['outcome']) => EndSettle,
): Settler {
  let accepted: Delivery[] = []
  /** Beside `accepted`, only where settlements are traced. */
  let handled: Settling[] = []
  let scheduled = false
  const pending = new Set<Promise<void>>()

  function send(deliveries: readonly Delivery[], outcome: Settlement, settled: readonly Settling[]): void {
    const end = startSettle?.(settled, outcome.outcome)
    const sent: Promise<void> = subscriber
      .settle(deliveries, outcome)
      .then(
        () => end?.(null),
        (thrown: unknown) => {
          const error = thrown instanceof Error ? thrown : new Error(String(thrown))
          end?.(error)
          onError(error)
        },
      )
      .then(() => void pending.delete(sent))
    pending.add(sent)
  }

  function sendAccepted(): void {
    scheduled = false
    const deliveries = accepted
    const settled = handled
    accepted = []
    handled = []
    if (deliveries.length > 0) send(deliveries, { outcome: 'accept' }, settled)
  }

  function settle(delivery: Delivery, outcome: Settlement, process?: Span): void {
    if (outcome.outcome !== 'accept') {
      send([delivery], outcome, [{ delivery, process }])
      return
    }
    accepted.push(delivery)
    if (startSettle !== undefined) handled.push({ delivery, process })
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
