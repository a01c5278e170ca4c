import { setTimeout as delay } from 'node:timers/promises'

/** How long to wait for a state. */
export interface EventuallyOptions {
  /** How long to try, milliseconds; default 5,000. Generous is free: it ends with the first success. */
  readonly timeoutMs?: number
  /** Pause between two tries, milliseconds; default 10. */
  readonly intervalMs?: number
}

/**
 * Runs an assertion until it passes: for state that another process or connection reaches in its own time.
 * Resolves to what the assertion returned. Rejects with the assertion's last error, the time it was given in front.
 */
export async function eventually<Result>(
  assertion: () => Result | Promise<Result>,
  { timeoutMs = 5000, intervalMs = 10 }: EventuallyOptions = {},
): Promise<Result> {
  const deadline = performance.now() + timeoutMs
  let failure: unknown = new Error('the assertion did not come back')
  for (;;) {
    const remainingMs = deadline - performance.now()
    if (remainingMs <= 0) throw late(failure, timeoutMs)
    const attempt = await settle(assertion, remainingMs)
    if (attempt.outcome === 'passed') return attempt.value
    if (attempt.outcome === 'failed') failure = attempt.error
    await delay(Math.max(0, Math.min(intervalMs, deadline - performance.now())))
  }
}

type Attempt<Result> =
  | { readonly outcome: 'passed'; readonly value: Result }
  | { readonly outcome: 'failed'; readonly error: unknown }
  | { readonly outcome: 'hanging' }

/** One try; an assertion that hangs is given up at the deadline instead of holding the test for ever. */
async function settle<Result>(
  assertion: () => Result | Promise<Result>,
  remainingMs: number,
): Promise<Attempt<Result>> {
  const giveUp = new AbortController()
  const run = async (): Promise<Attempt<Result>> => {
    try {
      return { outcome: 'passed', value: await assertion() }
    } catch (error) {
      return { outcome: 'failed', error }
    }
  }
  const hang = delay<Attempt<Result>>(remainingMs, { outcome: 'hanging' }, { signal: giveUp.signal })
  try {
    return await Promise.race([run(), hang])
  } finally {
    hang.catch(() => {})
    giveUp.abort()
  }
}

function late(failure: unknown, timeoutMs: number): unknown {
  if (!(failure instanceof Error)) return failure
  // The assertion's own error, so that the runner prints its diff.
  failure.message = `not within ${timeoutMs} ms: ${failure.message}`
  return failure
}
