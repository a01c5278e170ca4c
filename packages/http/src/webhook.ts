import { PermanentError } from '@throughline/core'
import { type Answer, problem } from './answer.ts'
import type { Incoming } from './incoming.ts'

/** The receiver's terms, by CloudEvents' Webhooks 1.0 §4. */
export interface WebhookOptions {
  /** Senders that may deliver, as they name themselves (`events.example.com`), or `*` for every one. */
  readonly origins: '*' | readonly string[]
  /** Requests that are taken in any 60 seconds, 1 to 1 000 000; more are answered 429 with `Retry-After`. Default: no limit. */
  readonly requestsPerMinute?: number
}

export interface Webhook {
  /** The answer to a validation request (Webhooks 1.0 §4). */
  handshake(incoming: Incoming): Answer
  /** Counts one delivery, or says that it is too many. */
  admit(): Answer | null
}

const MINUTE_MS = 60_000
const MAX_RATE = 1_000_000
/** As DNS names are. Of other letters `toLowerCase` makes ASCII too, and what is echoed has to fit a header. */
const ASCII = /^[!-~]+$/

/**
 * The receiver's side of CloudEvents' Webhooks 1.0 §4: permission is given in the answer, never by a callback, which
 * would have us call an address that a stranger names. Throws PermanentError for options that make no sense.
 */
export function webhook(
  { origins, requestsPerMinute }: WebhookOptions,
  methods: readonly string[],
  now: () => number = () => performance.now(),
): Webhook {
  const isRate = requestsPerMinute === undefined || isRateLimit(requestsPerMinute)
  if (!isRate) throw new PermanentError(`requestsPerMinute must be a whole number from 1 to ${MAX_RATE}`)
  const named = [origins].flat().map((origin) => origin.toLowerCase())
  const allowed = named.includes('*') ? null : new Set(named)
  /** When the requests of the last minute came, of as many as may: a ring. */
  const times = new Float64Array(requestsPerMinute ?? 0).fill(-MINUTE_MS)
  let oldest = 0

  function handshake(incoming: Incoming): Answer {
    const origin = incoming.header('webhook-request-origin')?.trim()
    if (origin === undefined || origin === '') {
      return problem(400, 'TL_ORIGIN_MISSING', 'a validation request has the header WebHook-Request-Origin')
    }
    if (allowed !== null && !(ASCII.test(origin) && allowed.has(origin.toLowerCase()))) {
      return problem(403, 'TL_ORIGIN_REFUSED', 'this origin may not deliver here')
    }
    const headers = {
      allow: methods.join(', '),
      'webhook-allowed-origin': allowed === null ? '*' : origin,
      'webhook-allowed-rate': allowedRate(incoming.header('webhook-request-rate')),
    }
    return { status: 200, headers, problem: null }
  }

  /** What is asked for, as far as it is allowed; `*` where nothing limits it. */
  function allowedRate(asked: string | undefined): string {
    const wanted = /^[1-9]\d{0,8}$/.test(asked?.trim() ?? '') ? Number(asked) : Number.POSITIVE_INFINITY
    const rate = Math.min(wanted, requestsPerMinute ?? Number.POSITIVE_INFINITY)
    return requestsPerMinute === undefined ? '*' : String(rate)
  }

  function admit(): Answer | null {
    const earliest = times[oldest]
    if (earliest === undefined) return null
    const time = now()
    const waitMs = earliest + MINUTE_MS - time
    if (waitMs > 0) {
      const detail = `more than ${requestsPerMinute} requests a minute`
      const seconds = String(Math.max(1, Math.ceil(waitMs / 1000)))
      return problem(429, 'TL_RATE_EXCEEDED', detail, { headers: { 'retry-after': seconds } })
    }
    times[oldest] = time
    oldest = (oldest + 1) % times.length
    return null
  }

  return { handshake, admit }
}

function isRateLimit(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_RATE
}
