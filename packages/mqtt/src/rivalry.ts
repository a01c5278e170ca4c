import type { ThroughlineError } from '@throughline/core'
import { HUNG_UP_CODE, takenOverError } from './reason.ts'

/**
 * Notices another client with the same id where the broker does not say so. Mosquitto 2.0.11 hands a session over and
 * closes the old connection without a DISCONNECT; two clients that reconnect would evict each other for ever.
 */
export interface Rivalry {
  /** The broker has accepted a connection. */
  accepted(): void
  /** How a connection ended, or that there was none: the error itself, or that the session is taken over. */
  judge(error: ThroughlineError): ThroughlineError
}

const STRIKES = 3
/** A connection that lasted longer was not fought over. */
const SHORT_MS = 10_000

export function createRivalry(address: string, clientId: string): Rivalry {
  let acceptedAt = 0
  let strikes = 0
  return {
    accepted() {
      acceptedAt = performance.now()
    },
    judge(error) {
      // A broker that restarts is away in between, a network that fails is not closed in good order: neither counts.
      const isStrike = error.code === HUNG_UP_CODE && performance.now() - acceptedAt < SHORT_MS
      strikes = isStrike ? strikes + 1 : 0
      if (strikes < STRIKES) return error
      return takenOverError(
        `${address} accepted the connection of "${clientId}" and closed it without a word, ${STRIKES} times in a row: most likely another client uses this id and takes over the session`,
        error,
      )
    },
  }
}
