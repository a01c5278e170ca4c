import type { JourneySpan, SpanRole } from '@throughline/explorer/api'
import { isQueued, type JourneyModel, parentOf } from './model.ts'

/** Roles in which a span works itself while none of its children runs; the others wait for somebody's answer. */
const WORKING: ReadonlySet<SpanRole> = new Set([
  'create',
  'process',
  'server',
  'internal',
] satisfies SpanRole[])

interface Mark {
  readonly ms: number
  readonly opens: boolean
  /** Null: a message on its way through a broker. */
  readonly span: JourneySpan | null
}

/** All moments at which somebody begins or stops, in order. */
export function marksOf(model: JourneyModel): readonly Mark[] {
  const marks: Mark[] = []
  for (const span of model.journey.spans) {
    if (span.durationMs <= 0) continue
    marks.push({ ms: span.startMs, opens: true, span })
    marks.push({ ms: span.startMs + span.durationMs, opens: false, span })
  }
  for (const hop of model.journey.hops) {
    const { sentMs, processedMs } = hop
    if (!isQueued(hop) || sentMs === null || processedMs === null) continue
    if (processedMs > sentMs) {
      marks.push({ ms: sentMs, opens: true, span: null }, { ms: processedMs, opens: false, span: null })
    }
  }
  return marks.sort((a, b) => a.ms - b.ms)
}

/**
 * Keeps account of the spans that are at work themselves at a moment, by the rule of the journey's totals.
 *
 * @param onChange called when a span begins or stops to work
 */
export function workers(
  model: JourneyModel,
  onChange: (span: JourneySpan, works: boolean) => void = () => {},
) {
  const running = new Set<JourneySpan>()
  const below = new Map<JourneySpan, number>()
  const working = new Set<JourneySpan>()
  // In the order in which they began; those that have stopped since are dropped when they come to the top.
  const began: JourneySpan[] = []
  const review = (span: JourneySpan): void => {
    const works = running.has(span) && WORKING.has(span.role) && (below.get(span) ?? 0) === 0
    if (works === working.has(span)) return
    if (works) {
      working.add(span)
      began.push(span)
    } else working.delete(span)
    onChange(span, works)
  }
  return {
    change(span: JourneySpan, opens: boolean): void {
      if (opens) running.add(span)
      else running.delete(span)
      review(span)
      const parent = parentOf(model, span)
      if (parent === null) return
      below.set(parent, (below.get(parent) ?? 0) + (opens ? 1 : -1))
      review(parent)
    },
    /** The one that began to work last; null when none is at work. */
    latest(): JourneySpan | null {
      for (let last = began.at(-1); last !== undefined; last = began.at(-1)) {
        if (working.has(last)) return last
        began.pop()
      }
      return null
    },
  }
}
