import { type Delivery, type Subscriber, UnavailableError } from '@throughline/core'
import { numberOf } from './messages.ts'

/** Reads a subscriber in the background. */
export interface Reader {
  readonly arrived: readonly Delivery[]
  /** Resolves when the reading has ended, rejects when it threw. */
  readonly ended: Promise<void>
  numbers(): number[]
  /** Resolves with all that has arrived once it is at least `count`. */
  until(count: number): Promise<readonly Delivery[]>
  /** Resolves when the condition holds, rejects when the reading throws before. */
  when(condition: () => boolean, what: string): Promise<void>
  /** Aborts the reading; the subscriber stays open. */
  stop(): Promise<void>
}

export interface ReaderOptions {
  /** Called with each array as it arrives, before the next one is asked for. */
  readonly onDeliveries?: (deliveries: readonly Delivery[]) => Promise<void> | void
  /** Reads on after UnavailableError, as core's subscription does. Default false. */
  readonly reconnects?: boolean
}

export type Eventually = (assertion: () => void | Promise<void>) => Promise<void>

export function createReader(
  subscriber: Subscriber,
  eventually: Eventually,
  { onDeliveries, reconnects = false }: ReaderOptions = {},
): Reader {
  const arrived: Delivery[] = []
  const abort = new AbortController()
  let failure: unknown

  async function read(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        for await (const deliveries of subscriber.deliveries(abort.signal)) {
          arrived.push(...deliveries)
          await onDeliveries?.(deliveries)
        }
        return
      } catch (error) {
        if (!reconnects || !(error instanceof UnavailableError)) throw error
      }
    }
  }

  const ended = read()
  ended.catch((error: unknown) => {
    failure = error
  })

  async function when(condition: () => boolean, what: string): Promise<void> {
    await eventually(() => {
      if (failure !== undefined || condition()) return
      throw new Error(`waited for ${what}; ${arrived.length} arrived`)
    })
    if (failure !== undefined) throw failure
  }

  return {
    arrived,
    ended,
    numbers: () => arrived.map(numberOf),
    async until(count) {
      await when(() => arrived.length >= count, `${count} deliveries`)
      return arrived
    },
    when,
    async stop() {
      abort.abort()
      await ended
    },
  }
}
