/** What is sent of telemetry when a process ends. */
export interface Flushes {
  spans(): Promise<void>
  metrics(): Promise<void>
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** For how long the end is put off for a receiver that does not answer. */
const LIMIT_MS = 2000
/** How often spans are sent while the application closes down after a signal, which it may end at any moment. */
const CLOSING_MS = 100
/** A signal may be one that the application goes on after. */
const CLOSED_MS = 30_000

/**
 * Has telemetry sent when the process ends by itself, or by SIGTERM or SIGINT. It ends as it would have: a signal that the
 * application handles is the application's, another one ends the process by that signal.
 */
export function flushAtEnd({ spans, metrics }: Flushes): void {
  /** True when all is sent, false after the limit or a failure. */
  async function flush(): Promise<boolean> {
    const limit = Promise.withResolvers<false>()
    const timer = setTimeout(limit.resolve, LIMIT_MS, false)
    const all = Promise.all([spans(), metrics()]).then(
      () => true,
      () => false,
    )
    const done = await Promise.race([all, limit.promise])
    clearTimeout(timer)
    return done
  }

  process.prependOnceListener('beforeExit', async () => {
    const isAlone = process.listenerCount('beforeExit') === 0
    const done = await flush()
    // The exporter's next try would keep the process for up to ten seconds. What another listener began is waited for.
    if (!done && isAlone) process.exit()
  })

  for (const signal of SIGNALS) {
    const onSignal = async () => {
      // Not one of the signal's listeners from now on: others count them, to end the process when they are the only ones.
      process.off(signal, onSignal)
      if (process.listenerCount(signal) === 0) {
        await flush()
        process.kill(process.pid, signal)
        return
      }
      void flush()
      const timer = setInterval(() => spans().catch(() => undefined), CLOSING_MS).unref()
      setTimeout(() => clearInterval(timer), CLOSED_MS).unref()
    }
    // Before the application's, of which one that is there once would not be seen after its call.
    process.prependListener(signal, onSignal)
  }
}
