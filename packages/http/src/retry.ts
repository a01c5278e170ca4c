import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, type Message, type PublishResult, UnavailableError } from '@throughline/core'

/** How often and how soon a message is sent again. */
export interface RetryOptions {
  /** Requests of one message at most, the first included; default 5. */
  readonly attempts?: number
  /** First pause, milliseconds; default 200. It doubles, and half of it is random. */
  readonly minMs?: number
  /** Longest pause, milliseconds; default 5000. A longer `Retry-After` is waited for all the same. */
  readonly maxMs?: number
}

/** What one request said of one message, and whether the same may be sent again. */
export interface Tried {
  readonly result: PublishResult
  /** `at once`: a kept connection turned out closed. `later`: the server asks for it, or was never reached. */
  readonly again: 'at once' | 'later' | 'never'
}

export interface Retrying {
  readonly retry: RetryOptions | boolean
  /** For all requests of a message and the pauses between them. */
  readonly timeoutMs: number
  /** Ends a pause; the message then has the answer that it got last. */
  readonly stopped: AbortSignal
}

/** `messages` are to be answered in their order; the request is ended after `limitMs`. */
export type SendOnce = (messages: readonly Message[], limitMs: number) => Promise<readonly Tried[]>

/**
 * Sends messages that share a request, and those of them again that may be, until all are confirmed or refused for good,
 * attempts are spent, or the time is up. `send` is given what is left of the messages, and of the time.
 */
export async function sendWithRetry(
  messages: readonly Message[],
  send: SendOnce,
  retrying: Retrying,
): Promise<readonly PublishResult[]> {
  const startMs = performance.now()
  const tried = await send(messages, retrying.timeoutMs)
  return tried.every(isFinal) ? tried.map(resultOf) : sendAgain(messages, send, retrying, tried, startMs)
}

/** A function of its own: what an asynchronous one may need is set aside at each call, and nearly none comes this far. */
async function sendAgain(
  messages: readonly Message[],
  send: SendOnce,
  { retry, timeoutMs, stopped }: Retrying,
  first: readonly Tried[],
  startMs: number,
): Promise<readonly PublishResult[]> {
  const options = typeof retry === 'object' ? retry : {}
  const { attempts = retry === false ? 1 : 5, minMs = 200, maxMs = 5000 } = options
  const deadline = startMs + timeoutMs
  const results = first.map(resultOf)
  /** Indices of those that are not answered for good. */
  let left = [...messages.keys()]
  let tried = first
  let failures = 0
  let repeated = false
  for (let resends = 1; ; resends++) {
    if (!repeated && tried.some(({ again }) => again === 'at once')) repeated = true
    else {
      const later = tried.filter(({ again }) => again === 'later')
      if (later.length === 0 || ++failures >= attempts) break
      const waitMs = Math.max(backoffMs(failures, { minMs, maxMs }), ...later.map(retryAfterOf))
      // Whoever asked for longer than there is time is told to its caller, who may have more.
      if (performance.now() + waitMs >= deadline) break
      await delay(waitMs, undefined, { signal: stopped }).catch(() => undefined)
      if (stopped.aborted) break
      left = left.filter((_, place) => tried[place]?.again === 'later')
    }
    const again = left.length === messages.length ? messages : messages.filter((_, i) => left.includes(i))
    tried = await send(again, Math.max(1, deadline - performance.now()))
    for (const [place, { result }] of tried.entries()) {
      const index = left[place]
      if (index !== undefined) results[index] = { ...result, resends }
    }
  }
  return results
}

function isFinal({ again }: Tried): boolean {
  return again === 'never'
}

function resultOf({ result }: Tried): PublishResult {
  return result
}

function retryAfterOf({ result }: Tried): number {
  return !result.ok && result.error instanceof UnavailableError ? (result.error.retryAfterMs ?? 0) : 0
}
