import { constants } from 'node:os'

/** A terminal signals the whole process group, and wrappers such as npm pass the same Ctrl-C on once more. */
const sameRequestMs = 500

/**
 * Resolves with the first SIGINT, SIGTERM or SIGHUP, which asks for an orderly end. A later one ends the process at once
 * with 128 + its number: what is in flight is then delivered again by its source.
 */
export function interrupted(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let askedAt: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (askedAt !== undefined && performance.now() - askedAt > sameRequestMs)
        process.exit(128 + constants.signals[signal])
      askedAt ??= performance.now()
      resolve(signal)
    })
  }
  return promise
}
