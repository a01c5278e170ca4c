import type { JourneyTotals } from '../api/schema.ts'
import type { Clock } from './clock.ts'
import type { Graph } from './graph.ts'
import type { NodeHop } from './hops.ts'
import type { Node } from './node.ts'

/** Roles in which a span works itself while none of its children runs; the others wait for somebody's answer. */
const working: ReadonlySet<Node['meaning']['role']> = new Set(['create', 'process', 'server', 'internal'])

/**
 * Sweeps over the journey's time and gives each instant to one of three: *work* while a span is at it and none
 * of its children is; else *queue* while a message is between its send and its process over a broker; else
 * *wait*.
 */
export function totalsOf(graph: Graph, hops: readonly NodeHop[], clock: Clock): JourneyTotals {
  const runningChildren = new Map<Node, number>()
  const running = new Set<Node>()
  let workers = 0
  let queued = 0
  const isWorker = (node: Node) =>
    running.has(node) && working.has(node.meaning.role) && (runningChildren.get(node) ?? 0) === 0

  /** Applies a change and keeps the count of workers right for the two spans that it touches. */
  function change(node: Node, apply: () => void): void {
    const parent = graph.parent(node)
    const touched = parent && parent !== node ? [node, parent] : [node]
    for (const one of touched) if (isWorker(one)) workers -= 1
    apply()
    for (const one of touched) if (isWorker(one)) workers += 1
  }
  const count = (node: Node, by: number) => {
    const parent = graph.parent(node)
    if (parent && parent !== node) runningChildren.set(parent, (runningChildren.get(parent) ?? 0) + by)
  }

  const enqueue = () => {
    queued += 1
  }
  const dequeue = () => {
    queued -= 1
  }

  const moments: { readonly ms: number; readonly apply: () => void }[] = []
  for (const node of graph.nodes) {
    const startMs = clock.ms(node.span.startUnixNanos)
    const endMs = clock.ms(node.span.endUnixNanos)
    if (!(endMs > startMs)) continue
    const start = () => {
      running.add(node)
      count(node, 1)
    }
    const end = () => {
      running.delete(node)
      count(node, -1)
    }
    moments.push(
      { ms: startMs, apply: () => change(node, start) },
      { ms: endMs, apply: () => change(node, end) },
    )
  }
  for (const { hop } of hops) {
    if (hop.kind !== 'message' || hop.transport === 'http' || hop.sentMs === null || hop.processedMs === null)
      continue
    if (hop.processedMs <= hop.sentMs) continue
    moments.push({ ms: hop.sentMs, apply: enqueue }, { ms: hop.processedMs, apply: dequeue })
  }
  moments.sort((a, b) => a.ms - b.ms)

  const totals = { durationMs: endMsOf(graph, clock), workMs: 0, queueMs: 0, waitMs: 0 }
  let at = 0
  for (const { ms, apply } of moments) {
    const span = Math.max(0, ms - at)
    if (workers > 0) totals.workMs += span
    else if (queued > 0) totals.queueMs += span
    else totals.waitMs += span
    at = Math.max(at, ms)
    apply()
  }
  // Behind the last moment there are only spans that took no time at all.
  totals.waitMs += Math.max(0, totals.durationMs - at)
  return totals
}

/** End of the last span, from the start of the journey. */
export function endMsOf(graph: Graph, clock: Clock): number {
  return graph.nodes.reduce(
    (end, { span }) => Math.max(end, clock.ms(span.startUnixNanos), clock.ms(span.endUnixNanos)),
    0,
  )
}

/** A span's duration less the time in which children of the same service were running. */
export function selfMsOf(graph: Graph, node: Node, clock: Clock): number {
  const startMs = clock.ms(node.span.startUnixNanos)
  const endMs = Math.max(startMs, clock.ms(node.span.endUnixNanos))
  const inside = graph
    .children(node)
    .filter(({ span }) => span.origin.service === node.span.origin.service)
    .map(({ span }) => [clock.ms(span.startUnixNanos), clock.ms(span.endUnixNanos)] as const)
    .sort(([a], [b]) => a - b)
  let selfMs = endMs - startMs
  let until = startMs
  for (const [from, to] of inside) {
    const begin = Math.max(from, until)
    const end = Math.min(to, endMs)
    if (end <= begin) continue
    selfMs -= end - begin
    until = end
  }
  return selfMs
}
