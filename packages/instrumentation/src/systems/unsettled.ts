import type { Settlement } from '@throughline/core'
import type { Handling } from './redeliveries.ts'

/** Messages of AMQP channels whose outcome the application has not told yet. */
export interface Unsettled {
  add(channel: object, deliveryTag: number, handling: Handling): void
  /** AMQP 0-9-1 §1.8.3.13: `multiple` means all up to this one, and all that there are where the tag is 0. */
  settle(channel: object, deliveryTag: number, multiple: boolean, outcome: Settlement['outcome']): void
}

/** Of more on one channel all are forgotten: its application acknowledges nothing. */
const MAX_MESSAGES = 10_000

export function createUnsettled(): Unsettled {
  /** By tag, which grows. */
  const channels = new WeakMap<object, Map<number, Handling>>()
  return {
    add(channel, deliveryTag, handling) {
      let messages = channels.get(channel)
      if (messages === undefined) {
        messages = new Map()
        channels.set(channel, messages)
      }
      if (messages.size >= MAX_MESSAGES) messages.clear()
      messages.set(deliveryTag, handling)
    },

    settle(channel, deliveryTag, multiple, outcome) {
      const messages = channels.get(channel)
      if (messages === undefined) return
      if (!multiple) {
        const handling = messages.get(deliveryTag)
        if (handling === undefined) return
        messages.delete(deliveryTag)
        handling.told(outcome)
        return
      }
      for (const [tag, handling] of messages) {
        if (deliveryTag !== 0 && tag > deliveryTag) break
        messages.delete(tag)
        handling.told(outcome)
      }
    },
  }
}
