import type { Journey, JourneyHop, JourneySpan } from '@throughline/explorer/api'

/** One stretch of the critical path: time spent in a span, or by a message in a queue. */
export type CriticalStep = { readonly startMs: number; readonly endMs: number } & (
  | { readonly kind: 'span'; readonly span: JourneySpan }
  | { readonly kind: 'hop'; readonly hop: JourneyHop }
)

/** `order`: of two at one moment the later one is told; messages are behind all spans, nested spans behind their parents. */
type Element = CriticalStep & { readonly order: number }

/**
 * The critical path as a sequence that covers each moment once: the message while one is on its way between
 * two critical spans, else the innermost critical span.
 */
export function criticalPath(journey: Journey): readonly CriticalStep[] {
  const elements = criticalElements(journey)
  const marks = elements.flatMap((element) => [
    { ms: element.startMs, element, opens: true },
    { ms: element.endMs, element, opens: false },
  ])
  marks.sort((a, b) => a.ms - b.ms || Number(a.opens) - Number(b.opens))
  const active = new Set<Element>()
  const steps: CriticalStep[] = []
  for (const [index, mark] of marks.entries()) {
    if (mark.opens) active.add(mark.element)
    else active.delete(mark.element)
    const endMs = marks[index + 1]?.ms ?? mark.ms
    if (endMs > mark.ms) extend(steps, innermost(active), mark.ms, endMs)
  }
  return steps
}

function criticalElements(journey: Journey): readonly Element[] {
  const key = (ref: { traceId: string; spanId: string }): string => `${ref.traceId}/${ref.spanId}`
  const critical = new Set<string>()
  const elements: Element[] = []
  for (const [index, span] of journey.spans.entries()) {
    if (!span.critical) continue
    critical.add(key(span))
    elements.push({
      kind: 'span',
      span,
      startMs: span.startMs,
      endMs: span.startMs + span.durationMs,
      order: index,
    })
  }
  for (const [index, hop] of journey.hops.entries()) {
    if (hop.kind !== 'message' || hop.sentMs === null || hop.processedMs === null) continue
    if (hop.processedMs <= hop.sentMs || hop.process === null || !critical.has(key(hop.process))) continue
    if (hop.send !== null && !critical.has(key(hop.send))) continue
    const order = journey.spans.length + index
    elements.push({ kind: 'hop', hop, startMs: hop.sentMs, endMs: hop.processedMs, order })
  }
  return elements
}

function innermost(active: ReadonlySet<Element>): Element | null {
  let best: Element | null = null
  for (const element of active) {
    if (best === null || element.order > best.order) best = element
  }
  return best
}

function sameElement(a: CriticalStep, b: CriticalStep): boolean {
  return a.kind === 'span' ? b.kind === 'span' && a.span === b.span : b.kind === 'hop' && a.hop === b.hop
}

function extend(steps: CriticalStep[], element: Element | null, startMs: number, endMs: number): void {
  if (element === null) return
  const last = steps.at(-1)
  const part: CriticalStep =
    element.kind === 'span'
      ? { kind: 'span', span: element.span, startMs, endMs }
      : { kind: 'hop', hop: element.hop, startMs, endMs }
  if (last !== undefined && last.endMs === startMs && sameElement(last, part)) {
    steps[steps.length - 1] = { ...last, endMs }
  } else steps.push(part)
}
