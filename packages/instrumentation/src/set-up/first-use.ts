let waiting: (() => void) | undefined

/** Has a function run once, when the application makes its first client: the latest moment at which an SDK is of use. */
export function onFirstUse(run: () => void): void {
  waiting = run
}

/** Told by each client that is made or used. */
export function used(): void {
  if (waiting === undefined) return
  const run = waiting
  waiting = undefined
  run()
}
