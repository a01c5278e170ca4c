import type { EdgeKind, JourneyEdge } from '../api/schema.ts'
import { isTrue } from '../otlp/value.ts'
import { isRetry } from './deliveries.ts'
import type { Graph, LinkedNode } from './graph.ts'
import { type NodeHop, refOf } from './hops.ts'
import { isBatch, isConsumption, isPublication, type Node } from './node.ts'

/** All edges from cause to effect. A link to the span's own parent is not an edge of its own. */
export function edgesOf(graph: Graph, hops: readonly NodeHop[]): JourneyEdge[] {
  const edges = new Map<string, { kind: EdgeKind; from: Node; to: Node }>()
  const add = (kind: EdgeKind, from: Node, to: Node) => {
    const key = `${from.id}${to.id}`
    if (from.id !== to.id && !edges.has(key)) edges.set(key, { kind, from, to })
  }
  for (const node of graph.nodes) {
    const parent = graph.parent(node)
    if (parent) add(isAsync(parent, node) ? 'async-child' : 'child', parent, node)
    for (const target of graph.targets(node)) add(linkKind(target, node), target.node, node)
  }
  for (const { receiver, retries } of hops) {
    let before = receiver
    for (const retry of retries) {
      if (before && isRetry(graph, before, retry)) add('retry', before, retry)
      before = retry
    }
  }
  joinIslands(graph, edges, add)
  return [...edges.values()].map(({ kind, from, to }) => ({ kind, from: refOf(from), to: refOf(to) }))
}

/** Over a broker, or begun when the parent had ended: the parent did not wait for it. */
function isAsync(parent: Node, child: Node): boolean {
  if (isPublication(parent) && isConsumption(child)) return child.meaning.system !== 'http'
  return (
    child.span.startUnixNanos >= parent.span.endUnixNanos &&
    child.span.startUnixNanos > parent.span.startUnixNanos
  )
}

function linkKind({ link }: LinkedNode, node: Node): EdgeKind {
  if (isTrue(link.attributes.get('retry'))) return 'retry'
  if (isTrue(link.attributes.get('replay')) || isTrue(link.attributes.get('delayed'))) return 'replay-link'
  if (isTrue(link.attributes.get('dead_letter'))) return 'dead-letter'
  return isBatch(node) ? 'batch-link' : 'link'
}

/**
 * Spans that only the event's identity holds together get one edge from the earlier to the later part: `copy`
 * where the event was sent once more, `inferred` where a consumer got it without its context.
 */
function joinIslands(
  graph: Graph,
  edges: ReadonlyMap<string, { from: Node; to: Node }>,
  add: (kind: EdgeKind, from: Node, to: Node) => void,
): void {
  const island = new Map<string, string>(graph.nodes.map(({ id }) => [id, id]))
  const rootOf = (id: string): string => {
    let root = id
    for (let up = island.get(root); up !== undefined && up !== root; up = island.get(root)) root = up
    island.set(id, root)
    return root
  }
  for (const { from, to } of edges.values()) island.set(rootOf(to.id), rootOf(from.id))
  const firstOfEvent = new Map<string, Node>()
  for (const node of graph.nodes) {
    const { event, role } = node.meaning
    if (!event) continue
    const key = event.id
    const first = firstOfEvent.get(key)
    if (!first) {
      firstOfEvent.set(key, node)
      continue
    }
    if (rootOf(first.id) === rootOf(node.id)) continue
    add(role === 'process' || role === 'receive' ? 'inferred' : 'copy', first, node)
    island.set(rootOf(node.id), rootOf(first.id))
  }
}
