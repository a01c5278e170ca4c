import type { Graph } from './graph.ts'
import { isPublication, type Node } from './node.ts'

/**
 * The spans that decided how long the journey took: from the span that ended last, back in time over the
 * children that ended last before it went on, and over its cause (parent, else the span it links to), also
 * through queues.
 */
export function criticalPath(graph: Graph): ReadonlySet<Node> {
  const path = new Set<Node>()
  let last: Node | undefined
  for (const node of graph.nodes) if (!last || node.span.endUnixNanos > last.span.endUnixNanos) last = node

  /** Marks a span and all below it that kept it busy before `until`. Not recursive: traces can be thousands deep. */
  function mark(from: Node, until: bigint): void {
    const stack = [{ node: from, until }]
    for (let at = stack.pop(); at; at = stack.pop()) {
      const { node } = at
      path.add(node)
      let before = at.until
      const children = graph
        .children(node)
        .filter((child) => graph.beginsUnixNanos(child) >= graph.beginsUnixNanos(node))
        .sort((a, b) => Number(b.span.endUnixNanos - a.span.endUnixNanos))
      for (const child of children) {
        if (path.has(child) || child.span.endUnixNanos > before) continue
        before = graph.beginsUnixNanos(child)
        path.add(child)
        stack.push({ node: child, until: child.span.endUnixNanos })
      }
    }
  }

  let until = last?.span.endUnixNanos ?? 0n
  for (let node = last; node && !path.has(node); node = causeOf(graph, node)) {
    mark(node, until)
    until = graph.beginsUnixNanos(node)
  }
  return path
}

function causeOf(graph: Graph, node: Node): Node | undefined {
  const parent = graph.parent(node)
  if (parent) return parent
  const targets = graph.targets(node).map((target) => target.node)
  return targets.find(isPublication) ?? targets[0]
}
