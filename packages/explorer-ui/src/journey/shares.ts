import type { JourneyHop } from '@throughline/explorer/api'
import { isQueued, type JourneyModel } from './model.ts'
import { marksOf, workers } from './work.ts'

/**
 * How long each service was at work itself, the longest first, in milliseconds: what the totals count as work, so
 * neither the time of a send or a call nor that in which a child was running. Services that never were are left out.
 */
export function workByService(model: JourneyModel): readonly (readonly [service: string, ms: number])[] {
  const totals = new Map<string, number>()
  const busy = new Map<string, { readonly sinceMs: number; readonly spans: number }>()
  let atMs = model.startMs
  const crew = workers(model, ({ service }, works) => {
    const before = busy.get(service) ?? { sinceMs: atMs, spans: 0 }
    const spans = before.spans + (works ? 1 : -1)
    // Two spans of a service at work at once are one stretch of time.
    busy.set(service, { sinceMs: before.spans === 0 ? atMs : before.sinceMs, spans })
    if (spans === 0) totals.set(service, (totals.get(service) ?? 0) + atMs - before.sinceMs)
  })
  for (const { ms, opens, span } of marksOf(model)) {
    atMs = ms
    if (span !== null) crew.change(span, opens)
  }
  return [...totals].filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1])
}

/** Of each destination of a broker the message that waited longest, the longest first. */
export function longestWaits(model: JourneyModel): readonly JourneyHop[] {
  const longest = new Map<string, JourneyHop>()
  for (const hop of model.journey.hops) {
    if (!isQueued(hop) || hop.queueMs === null || hop.queueMs <= 0) continue
    const key = `${hop.transport} ${hop.destination}`
    if (hop.queueMs > (longest.get(key)?.queueMs ?? 0)) longest.set(key, hop)
  }
  return [...longest.values()].sort((a, b) => (b.queueMs ?? 0) - (a.queueMs ?? 0))
}

/** The message that waited longest in a broker, when there is more than one to choose from. */
export function slowestHop(model: JourneyModel): JourneyHop | null {
  const waits = model.journey.hops.filter((hop) => isQueued(hop) && hop.queueMs !== null)
  if (waits.length < 2) return null
  return waits.reduce((most, hop) => ((hop.queueMs ?? 0) > (most.queueMs ?? 0) ? hop : most))
}
