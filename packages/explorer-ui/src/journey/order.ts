import type { JourneySpan } from '@throughline/explorer/api'
import { type JourneyModel, parentOf, refKey } from './model.ts'

/** Some SDKs start their spans at whole milliseconds: theirs may seem to begin so long before what led to them. */
const ROUNDING_MS = 1
/** Differences of times that were counted from the journey's start carry an error of their own. */
const EPSILON_MS = 1e-6

/** When a span counts as begun, and how many spans stand above it. */
export interface Place {
  readonly beginsMs: number
  readonly depth: number
}

/**
 * Where each span stands among the others, by key. One that seems to begin before its parent begins with it, where
 * rounding explains that, and within a service always: a nested span is drawn below the one that it is part of.
 */
export function placesOf(model: JourneyModel): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>()
  for (const span of model.journey.spans) {
    // A stack, not recursion: a chain of thousands of spans is a legal trace. Cycles are cut where they close.
    const chain = new Set<JourneySpan>()
    let at: JourneySpan | null = span
    while (at !== null && !places.has(refKey(at)) && !chain.has(at)) {
      chain.add(at)
      at = parentOf(model, at)
    }
    let above = at
    for (const next of [...chain].reverse()) {
      places.set(refKey(next), placeBelow(above, places.get(above === null ? '' : refKey(above)), next))
      above = next
    }
  }
  return places
}

function placeBelow(parent: JourneySpan | null, place: Place | undefined, span: JourneySpan): Place {
  if (parent === null || place === undefined) return { beginsMs: span.startMs, depth: 0 }
  const leadMs = place.beginsMs - span.startMs
  const isWithin = span.service === parent.service || leadMs <= ROUNDING_MS + EPSILON_MS
  return { beginsMs: leadMs > 0 && isWithin ? place.beginsMs : span.startMs, depth: place.depth + 1 }
}
