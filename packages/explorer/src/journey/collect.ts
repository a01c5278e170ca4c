import type { EventKey, SpanKey, SpanStore } from '../store/store.ts'
import { membersOf } from './members.ts'
import { isBatch, isSameEvent, type Node, nodeOf, refId } from './node.ts'
import { type TraceView, traceView } from './trace-view.ts'

/** Where a journey is entered. */
export type Start =
  | { readonly kind: 'event'; readonly event: EventKey }
  | { readonly kind: 'trace'; readonly traceId: string }
  | { readonly kind: 'span'; readonly span: SpanKey }

export interface Collected {
  /** In order of start. */
  readonly nodes: readonly Node[]
  /** The event that was asked for, or the one of the span that was. */
  readonly focus: EventKey | null
  /** Spans that were found and not taken, at least; 0 when the journey is whole. */
  readonly leftOut: number
}

export const defaultBudget = 5_000
/** Events of one trace whose spans in other traces are looked for. */
const maxEvents = 20
const maxAncestors = 100
/** Links that are followed for each span of the budget: what spans that all link to each other cost. */
const maxLinksPerSpan = 10

/**
 * Collects the spans of a journey: over parents, children, links forward and backward, and the same event in
 * other traces, nearest first, until there are none left or `budget` spans are taken.
 * @returns null when the store knows nothing of `start`
 */
export function collect(store: SpanStore, start: Start, budget = defaultBudget): Collected | null {
  const views = new Map<string, TraceView>()
  const entries = new Map<string, Map<string, Node>>()
  const pending = new Set<string>()
  const taken = new Map<string, Node[]>()
  let count = 0
  let leftOut = 0
  let links = budget * maxLinksPerSpan

  function viewOf(traceId: string): TraceView {
    const view = views.get(traceId) ?? traceView(store, traceId, budget * 4)
    views.set(traceId, view)
    return view
  }

  function enter(ref: SpanKey): void {
    const id = refId(ref)
    const ofTrace = entries.get(ref.traceId) ?? new Map<string, Node>()
    if (ofTrace.has(id)) return
    const node = viewOf(ref.traceId).get(ref)
    if (!node) return
    entries.set(ref.traceId, ofTrace.set(id, node))
    pending.add(ref.traceId)
  }

  function take(node: Node): boolean {
    const twins = taken.get(node.id)
    if (twins?.includes(node)) return false
    if (count >= budget) {
      leftOut += 1
      return false
    }
    count += 1
    if (twins) twins.push(node)
    else taken.set(node.id, [node])
    return true
  }

  /** A message of a batch that the journey began with: its span and what led to it, not what else it led to. */
  function takeCauses(ref: SpanKey): void {
    let next: SpanKey | null = ref
    for (let depth = 0; next && depth < maxAncestors && !taken.has(refId(next)); depth++) {
      const [stored] = store.bySpan(next.spanId, next.traceId, 1)
      if (!stored || !take(nodeOf(stored))) return
      const { traceId, parentSpanId } = stored.span
      next = parentSpanId === null ? null : { traceId, spanId: parentSpanId }
    }
  }

  function follow(node: Node, isOurs: boolean, isSeed: boolean): void {
    for (const link of node.span.links) {
      if (!isBatch(node)) enter(link)
      else if (isSeed) takeCauses(link)
    }
    const isOther = focus !== null && node.meaning.event !== null && !isSameEvent(node.meaning.event, focus)
    if (isOther && !isOurs) return
    const referrers = links > 0 ? store.linksTo(node.span, Math.min(budget, links)) : []
    links -= referrers.length
    for (const key of referrers) enter(key)
  }

  const { focus, seeds } = seedsOf(store, start, budget, viewOf)
  for (const seed of seeds) enter(seed.span)
  const seedIds: ReadonlySet<string> = start.kind === 'event' ? new Set() : new Set(seeds.map(({ id }) => id))

  for (const traceId of pending) {
    pending.delete(traceId)
    const members = membersOf(
      viewOf(traceId),
      [...(entries.get(traceId)?.values() ?? [])],
      focus,
      (id) => taken.has(id),
      store,
    )
    for (const { node, isOurs } of members) {
      if (take(node)) follow(node, isOurs, seedIds.has(node.id))
    }
    if (count >= budget) break
  }
  leftOut += [...pending].reduce((sum, traceId) => sum + (entries.get(traceId)?.size ?? 0), 0)
  if (count === 0) return null
  const nodes = [...taken.values()].flat()
  nodes.sort((a, b) => Number(a.span.startUnixNanos - b.span.startUnixNanos))
  return { nodes, focus, leftOut }
}

function seedsOf(
  store: SpanStore,
  start: Start,
  budget: number,
  viewOf: (traceId: string) => TraceView,
): { focus: EventKey | null; seeds: readonly Node[] } {
  const ofEvent = (event: EventKey) => store.byEvent(event, budget).map(nodeOf)
  switch (start.kind) {
    case 'event': {
      const found = ofEvent(start.event)
      // One id under several sources is several events; without a source the latest of them is meant.
      const source =
        start.event.source ?? found.findLast(({ meaning }) => meaning.event?.source)?.meaning.event?.source
      const focus = { id: start.event.id, source: source ?? null }
      return {
        focus,
        seeds: found.filter(({ meaning }) => meaning.event && isSameEvent(meaning.event, focus)),
      }
    }
    case 'trace': {
      const seeds = viewOf(start.traceId).nodes
      const events = new Map(
        seeds.flatMap(({ meaning: { event } }) => (event ? [[`${event.source} ${event.id}`, event]] : [])),
      )
      return { focus: null, seeds: [...seeds, ...[...events.values()].slice(0, maxEvents).flatMap(ofEvent)] }
    }
    case 'span': {
      const { spanId, traceId } = start.span
      const seeds = store.bySpan(spanId, traceId, 4).map(nodeOf)
      const event = seeds.find(({ meaning }) => meaning.event)?.meaning.event ?? null
      return { focus: event, seeds: event ? [...seeds, ...ofEvent(event)] : seeds }
    }
  }
}
