import type { Node } from './node.ts'

/**
 * Nanoseconds by which a span may seem to begin before what led to it though no clock is wrong: some SDKs (that of
 * JavaScript) start their spans at whole milliseconds, others at microseconds. Clocks of one machine differ by less.
 */
export const roundingNanos = 1_000_000n

/** When a span counts as begun, and how many spans stand above it. */
interface Place {
  readonly beginsUnixNanos: bigint
  readonly depth: number
}

/** Where each span stands among the others: one that begins within the rounding before its parent begins with it. */
export function placesOf(
  nodes: readonly Node[],
  parentOf: (node: Node) => Node | undefined,
): ReadonlyMap<Node, Place> {
  const places = new Map<Node, Place>()
  for (const node of nodes) {
    // Not recursive: traces can be thousands deep. A cycle is cut where the walk meets itself.
    const chain = new Set<Node>()
    let at: Node | undefined = node
    while (at && !places.has(at) && !chain.has(at)) {
      chain.add(at)
      at = parentOf(at)
    }
    let above = at ? places.get(at) : undefined
    for (const next of [...chain].reverse()) {
      above = placeBelow(above, next.span.startUnixNanos)
      places.set(next, above)
    }
  }
  return places
}

function placeBelow(above: Place | undefined, startUnixNanos: bigint): Place {
  if (!above) return { beginsUnixNanos: startUnixNanos, depth: 0 }
  const lead = above.beginsUnixNanos - startUnixNanos
  const isRounded = lead > 0n && lead <= roundingNanos
  return { beginsUnixNanos: isRounded ? above.beginsUnixNanos : startUnixNanos, depth: above.depth + 1 }
}
