import type { Log } from './log.ts'

/** One thing that can be away: its first failure is said at once, its return too, the tries between now and then. */
export interface Outage {
  readonly isDown: boolean
  down(error: Error): void
  up(): void
}

const REMIND_MS = 30_000

/** `what` is the subject of the sentences: `route readings: kafka localhost:9092`. */
export function createOutage(log: Log, what: string, now: () => number = Date.now): Outage {
  let since: number | null = null
  let said = 0
  let error = ''
  return {
    get isDown() {
      return since !== null
    },
    down({ message }) {
      const time = now()
      if (since !== null && message === error && time - said < REMIND_MS) return
      const duration = since === null ? '' : `still after ${seconds(time - since)}: `
      log.warn(`${what}: ${duration}${message}; trying again until it returns`)
      since ??= time
      said = time
      error = message
    },
    up() {
      if (since === null) return
      log.info(`${what}: is back after ${seconds(now() - since)}`)
      since = null
    },
  }
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`
}
