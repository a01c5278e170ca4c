import type { Link } from '../otlp/span.ts'
import { isMarked, type Node, parentId, refId } from './node.ts'
import { placesOf } from './order.ts'

export interface LinkedNode {
  readonly node: Node
  readonly link: Link
}

export type Graph = ReturnType<typeof graphOf>

/** The spans of a journey and what leads from one to another, within the journey. */
export function graphOf(found: readonly Node[]) {
  const byId = new Map<string, Node>()
  for (const node of found) if (!byId.has(node.id)) byId.set(node.id, node)
  const parentOf = (node: Node): Node | undefined => byId.get(parentId(node) ?? '')
  const places = placesOf(found, parentOf)
  const beginsUnixNanos = (node: Node): bigint =>
    places.get(node)?.beginsUnixNanos ?? node.span.startUnixNanos
  const depthOf = (node: Node): number => places.get(node)?.depth ?? 0
  const nodes = found.toSorted(
    (a, b) => Number(beginsUnixNanos(a) - beginsUnixNanos(b)) || depthOf(a) - depthOf(b),
  )
  const children = Map.groupBy(
    nodes.filter((node) => byId.has(parentId(node) ?? '')),
    (node) => parentId(node) ?? '',
  )
  const referrers = new Map<string, LinkedNode[]>()
  const sends = new Map<string, Node[]>()
  for (const node of nodes) {
    for (const link of node.span.links) {
      const id = refId(link)
      const list = referrers.get(id)
      if (list) list.push({ node, link })
      else referrers.set(id, [{ node, link }])
      if (node.meaning.role !== 'send' || isMarked(link)) continue
      const known = sends.get(id)
      if (known) known.push(node)
      else sends.set(id, [node])
    }
  }
  return {
    /** In order of their beginning, none before a parent with which it begins. */
    nodes,
    /** A span's start; where only rounding puts it before that of its parent, the parent's. */
    beginsUnixNanos,
    get: (id: string): Node | undefined => byId.get(id),
    parent: parentOf,
    children: (node: Node): readonly Node[] => children.get(node.id) ?? [],
    /** What a span links to. */
    targets: (node: Node): readonly LinkedNode[] =>
      node.span.links.flatMap((link) => {
        const target = byId.get(refId(link))
        return target ? [{ node: target, link }] : []
      }),
    /** Sends of messages that carry the context of a span that is not theirs: those that link to it. */
    sendsWith: (node: Node): readonly Node[] => sends.get(node.id) ?? [],
    /** What links to a span. */
    referrers: (node: Node): readonly LinkedNode[] => referrers.get(node.id) ?? [],
  }
}
