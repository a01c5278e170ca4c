import { setTimeout as delay } from 'node:timers/promises'
import { type Message, type Publisher, type PublishResult, UnavailableError } from '@throughline/core'

/** Publishes as a careful sender does: what was not confirmed and may work later is published again. */
export interface Sender {
  /**
   * Resolves when each message is confirmed or refused for good; in the order given. Where the transport answers its
   * sender, that is when each is settled.
   */
  send(messages: readonly Message[]): Promise<readonly PublishResult[]>
  /** Messages handed to the publisher and not answered. */
  readonly inFlight: number
  /** Gives up what is not confirmed: it is answered as it was last. */
  stop(): void
}

const PAUSE_MS = 20

export function createSender(publisher: Publisher): Sender {
  const stopped = new AbortController()
  let inFlight = 0

  async function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    inFlight += messages.length
    try {
      return await publisher.publish(messages)
    } finally {
      inFlight -= messages.length
    }
  }

  async function send(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const results = [...(await publish(messages))]
    while (!stopped.signal.aborted) {
      const open = [...results.keys()].filter((index) => mayWorkLater(results[index]))
      if (open.length === 0) break
      await delay(PAUSE_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
      const again = await publish(open.flatMap((index) => messages[index] ?? []))
      again.forEach((result, place) => {
        results[open[place] ?? -1] = result
      })
    }
    return results
  }

  return {
    send,
    get inFlight() {
      return inFlight
    },
    stop: () => stopped.abort(),
  }
}

function mayWorkLater(result: PublishResult | undefined): boolean {
  return result !== undefined && !result.ok && result.error instanceof UnavailableError
}
