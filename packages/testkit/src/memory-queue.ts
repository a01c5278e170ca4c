import type { Delivery, Message, Position } from '@throughline/core'

/** A message as the memory broker keeps it. */
export interface Entry {
  readonly message: Message
  readonly position: Position
  readonly orderKey: string | undefined
  /** Order of arrival over all destinations. */
  readonly sequence: number
}

/** One connection of a subscriber; what it has not settled goes back when it ends. */
export interface Consumer {
  readonly signal: AbortSignal
  readonly unsettled: Map<Delivery, Waiting>
}

/** An entry that a group has not settled. */
export interface Waiting {
  readonly entry: Entry
  deliveries: number
  /** Not to be delivered before this timer has fired. */
  hold: NodeJS.Timeout | null
}

export interface TakeLimits {
  readonly messages: number
  /** Whether `Delivery.attempt` counts the broker's deliveries. */
  readonly countsDeliveries: boolean
}

/**
 * What one group of subscribers has still to settle, over all of its destinations. A key's order holds: nothing of a key
 * is handed out while an earlier message of it is held back, or is unsettled at another consumer.
 */
export function createQueue() {
  let waiting: Waiting[] = []
  const consumers = new Set<Consumer>()
  let changed = Promise.withResolvers<void>()

  function notify(): void {
    changed.resolve()
    changed = Promise.withResolvers()
  }

  function add(entry: Entry): void {
    waiting.push({ entry, deliveries: 0, hold: null })
    notify()
  }

  function take(consumer: Consumer, { messages, countsDeliveries }: TakeLimits): readonly Delivery[] {
    const blocked = keysElsewhere(consumer)
    const taken: Delivery[] = []
    const left: Waiting[] = []
    let seen = 0
    for (const item of waiting) {
      if (taken.length >= messages) break
      seen++
      const key = item.entry.orderKey
      if (item.hold === null && !(key !== undefined && blocked.has(key))) {
        taken.push(handOut(item, consumer, countsDeliveries))
      } else {
        if (key !== undefined) blocked.add(key)
        left.push(item)
      }
    }
    waiting = left.concat(waiting.slice(seen))
    return taken
  }

  function handOut(item: Waiting, consumer: Consumer, countsDeliveries: boolean): Delivery {
    item.deliveries++
    const { message, position, orderKey } = item.entry
    const delivery: Delivery = {
      message,
      position,
      attempt: countsDeliveries ? item.deliveries : 1,
      signal: consumer.signal,
      ...(item.deliveries > 1 ? { redelivered: true } : {}),
      ...(orderKey === undefined ? {} : { orderKey }),
    }
    consumer.unsettled.set(delivery, item)
    return delivery
  }

  function keysElsewhere(consumer: Consumer): Set<string> {
    const keys = new Set<string>()
    for (const other of consumers) {
      if (other === consumer) continue
      for (const { entry } of other.unsettled.values()) {
        if (entry.orderKey !== undefined) keys.add(entry.orderKey)
      }
    }
    return keys
  }

  /** Back to where it stood, to be delivered again after the delay. */
  function giveBack(items: Iterable<Waiting>, delayMs: number): void {
    for (const item of items) {
      if (delayMs > 0) item.hold = setTimeout(() => free(item), delayMs)
      waiting.push(item)
    }
    waiting.sort((a, b) => a.entry.sequence - b.entry.sequence)
    notify()
  }

  function free(item: Waiting): void {
    if (item.hold !== null) clearTimeout(item.hold)
    item.hold = null
    notify()
  }

  /** Takes back what the consumer has not settled. With the last one all delays end, as those of a client would. */
  function leave(consumer: Consumer): void {
    if (!consumers.delete(consumer)) return
    const items = [...consumer.unsettled.values()]
    consumer.unsettled.clear()
    giveBack(items, 0)
    if (consumers.size === 0) for (const item of waiting) free(item)
  }

  return {
    add,
    take,
    giveBack,
    notify,
    join: (consumer: Consumer) => void consumers.add(consumer),
    leave,
    /** Resolves at the next change. */
    changed: () => changed.promise,
    /** Not yet settled, handed out or not. */
    unsettled: () => waiting.length + [...consumers].reduce((sum, { unsettled }) => sum + unsettled.size, 0),
  }
}

export type Queue = ReturnType<typeof createQueue>
