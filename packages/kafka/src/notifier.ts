import { setTimeout as delay } from 'node:timers/promises'

/** Wakes everybody who waits for a change of state; what changes nobody waits for costs nothing. */
export interface Notifier {
  notify(): void
  /** Resolves at the next `notify`. Whoever calls looks at the state again. */
  wait(): Promise<void>
}

export function createNotifier(): Notifier {
  let next: PromiseWithResolvers<void> | null = null
  return {
    notify() {
      next?.resolve()
      next = null
    },
    wait() {
      next ??= Promise.withResolvers<void>()
      return next.promise
    },
  }
}

/** Waits for the promise, but no longer than `timeoutMs`; true when it was in time. Leaves no timer behind. */
export async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const over = new AbortController()
  const timeout = delay(Math.max(0, timeoutMs), false, { signal: over.signal })
  try {
    return await Promise.race([promise.then(() => true), timeout])
  } finally {
    over.abort()
    timeout.catch(() => undefined)
  }
}
