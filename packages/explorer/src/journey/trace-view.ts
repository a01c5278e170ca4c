import type { SpanKey, SpanStore } from '../store/store.ts'
import { type Node, nodeOf, parentId, refId } from './node.ts'

/**
 * One trace as it is in the store, up to a limit. Of a trace that is larger, what is asked for is looked up
 * span by span.
 */
export function traceView(store: SpanStore, traceId: string, limit: number) {
  const nodes: Node[] = []
  const byId = new Map<string, Node[]>()
  const byParent = new Map<string, Node[]>()
  const digests = new Set<string>()

  function add(found: ReturnType<SpanStore['byTrace']>): void {
    for (const stored of found) {
      const digest = `${stored.span.spanId}${stored.digest}`
      if (digests.has(digest)) continue
      digests.add(digest)
      const node = nodeOf(stored)
      nodes.push(node)
      const twins = byId.get(node.id)
      if (twins) twins.push(node)
      else byId.set(node.id, [node])
      const parent = parentId(node)
      if (parent === null) continue
      const siblings = byParent.get(parent)
      if (siblings) siblings.push(node)
      else byParent.set(parent, [node])
    }
  }

  add(store.byTrace(traceId, limit))
  const isWhole = nodes.length < limit

  return {
    traceId,
    nodes,
    get(ref: SpanKey): Node | undefined {
      const id = refId(ref)
      if (!isWhole && !byId.has(id)) add(store.bySpan(ref.spanId, ref.traceId, 4))
      return byId.get(id)?.[0]
    },
    /** All spans with this id: more than one where an id was used twice. */
    withId: (id: string): readonly Node[] => byId.get(id) ?? [],
    children(node: Node): readonly Node[] {
      if (!isWhole) add(store.children(node.span, limit))
      return byParent.get(node.id) ?? []
    },
    parent(node: Node): Node | undefined {
      const { traceId, parentSpanId } = node.span
      return parentSpanId === null ? undefined : this.get({ traceId, spanId: parentSpanId })
    },
  }
}

export type TraceView = ReturnType<typeof traceView>
