import { type Delivery, PermanentError, type Subscriber } from '@throughline/core'

/** A subscriber of a queue that was made for it, which is nobody's business: left out of where a delivery stands. */
export function withoutQueue(subscriber: Subscriber, queue: string): Subscriber {
  return mapped(subscriber, (delivery) => {
    const { position } = delivery
    const destination = position.destination.replace(`:${queue}`, '')
    return { ...delivery, position: { ...position, destination } }
  })
}

/**
 * A subscriber that reads a stream and nothing else: a queue would give it what its consumers then miss. The broker
 * refuses a reader by offset of any other queue; were one to slip through, it ends at its first message, which goes back.
 */
export function streamOnly(subscriber: Subscriber, stream: string): Subscriber {
  const refusal = (cause?: unknown) =>
    new PermanentError(`${stream} is no stream: what is read here would be missed by its consumers`, {
      code: 'TL_NO_STREAM',
      cause,
    })
  return {
    ...mapped(subscriber, (delivery) => {
      if (delivery.position.offset === undefined) throw refusal()
      return delivery
    }),
    async open() {
      try {
        await subscriber.open()
      } catch (error) {
        const isQueue = error instanceof PermanentError && error.message.includes('x-stream-offset')
        throw isQueue ? refusal(error) : error
      }
    },
  }
}

function mapped(subscriber: Subscriber, change: (delivery: Delivery) => Delivery): Subscriber {
  return {
    ...subscriber,
    async *deliveries(signal) {
      for await (const deliveries of subscriber.deliveries(signal)) yield deliveries.map(change)
    },
  }
}
