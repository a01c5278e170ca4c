import { constants } from 'node:os'

/**
 * Resolves with the first SIGINT or SIGTERM, which asks for an orderly end. The second one ends the process at once
 * with 128 + its number: what is in flight is then delivered again by its source.
 */
export function interrupted(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let asked = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(128 + constants.signals[signal])
      asked = true
      resolve(signal)
    })
  }
  return promise
}
