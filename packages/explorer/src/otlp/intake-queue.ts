import type { SpanStore } from '../store/store.ts'
import type { SpanRecord } from './request.ts'

interface Waiting {
  readonly records: readonly SpanRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export type IntakeQueue = ReturnType<typeof intakeQueue>

/**
 * Joins the spans of requests that arrive together into one append, so that many small exports cost one
 * transaction. `add` resolves when the spans are kept, and rejects with the store's error.
 */
export function intakeQueue(store: SpanStore, onKept: (records: readonly SpanRecord[]) => void) {
  let waiting: Waiting[] = []

  function flush(): void {
    const group = waiting
    waiting = []
    const records = group.flatMap((one) => one.records)
    try {
      store.append(records)
    } catch (error) {
      for (const one of group) one.reject(error)
      return
    }
    for (const one of group) one.resolve()
    onKept(records)
  }

  return {
    add(records: readonly SpanRecord[]): Promise<void> {
      if (records.length === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush)
        waiting.push({ records, resolve, reject })
      })
    },
  }
}
