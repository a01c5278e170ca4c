import type { JourneySummary } from '../api/schema.ts'
import type { SpanRecord } from '../otlp/request.ts'
import type { JourneyKey, SpanStore } from '../store/store.ts'
import { journeyOfKey, keysOfTrace } from './recent.ts'
import { readMeaning } from './semantics.ts'
import { summaryOf } from './summary.ts'

/** Spans of one journey arrive from several services within moments: they are told of together. */
const coalesceMs = 250
const perTick = 25
const maxWaiting = 1_000
/** Building them gives way to receiving spans after this long; the rest comes with the next tick. */
const maxTickMs = 100

export type Live = ReturnType<typeof liveJourneys>

/**
 * Tells listeners of journeys that are new or have changed, at most `perTick` every `coalesceMs`. Under more load
 * than that the oldest waiting ones are left out: a listener that reads the list again has them all.
 */
export function liveJourneys(store: SpanStore, log: (message: string) => void) {
  const listeners = new Set<(summary: JourneySummary) => void>()
  const waiting = new Map<string, JourneyKey>()
  let timer: NodeJS.Timeout | null = null

  function wait(key: JourneyKey): void {
    const id = key.kind === 'event' ? `e${key.event.id}\t${key.event.source}` : `t${key.traceId}`
    waiting.delete(id)
    waiting.set(id, key)
    const [oldest] = waiting.keys()
    if (waiting.size > maxWaiting && oldest !== undefined) waiting.delete(oldest)
    timer ??= setTimeout(tick, coalesceMs)
  }

  function tick(): void {
    timer = null
    const told = new Set<string>()
    const startedMs = performance.now()
    for (const [id, key] of [...waiting].slice(0, perTick)) {
      if (performance.now() - startedMs > maxTickMs) break
      waiting.delete(id)
      try {
        const keys = key.kind === 'event' ? [key] : keysOfTrace(store, key.traceId)
        for (const one of keys) tell(one, told)
      } catch (error) {
        log(`a live journey could not be built: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (waiting.size > 0) timer = setTimeout(tick, coalesceMs)
  }

  function tell(key: JourneyKey, told: Set<string>): void {
    const journey = journeyOfKey(store, key)
    if (!journey) return
    const id = `${journey.id}\t${journey.event?.source}`
    if (told.has(id)) return
    told.add(id)
    const summary = summaryOf(journey)
    for (const listener of listeners) listener(summary)
  }

  return {
    /** Says that these spans have been kept. */
    kept(records: readonly SpanRecord[]): void {
      if (listeners.size === 0) return
      for (const { span } of records) {
        const { event } = readMeaning(span)
        wait(event ? { kind: 'event', event } : { kind: 'trace', traceId: span.traceId })
        for (const link of span.links)
          if (link.traceId !== span.traceId) wait({ kind: 'trace', traceId: link.traceId })
      }
    },
    /** @returns a function that ends the listening */
    listen(listener: (summary: JourneySummary) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close(): void {
      if (timer) clearTimeout(timer)
      listeners.clear()
    },
  }
}
