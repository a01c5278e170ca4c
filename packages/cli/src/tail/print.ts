import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Writes, and waits while whoever reads is slower than what comes. Resolves too when nobody reads any more. */
export async function print(stream: Writable, text: string): Promise<void> {
  if (stream.write(text) || stream.destroyed) return
  const done = new AbortController()
  const { signal } = done
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]).catch(
    () => undefined,
  )
  // The one that did not come listens no longer: a slow reader is waited for thousands of times.
  done.abort()
}
