import type { JourneySpan } from '@throughline/explorer/api'
import { type JourneyModel, parentOf, refKey } from './model.ts'

/** A row of the waterfall. */
export interface TreeRow {
  readonly key: string
  readonly span: JourneySpan
  readonly depth: number
  readonly childCount: number
  readonly collapsed: boolean
  /** It hangs below its cause by a link, not as a child: another trace, or another attempt. */
  readonly linked: boolean
}

/**
 * The spans of all traces as one tree: below their parent, else below what an edge names as their cause, else
 * at the root. Cycles (a span that is its own ancestor) are cut where they close.
 *
 * @param collapsed keys of spans whose children are hidden
 */
export function treeRows(model: JourneyModel, collapsed: ReadonlySet<string>): readonly TreeRow[] {
  const { roots, below, linked } = treeOf(model)
  const rows: TreeRow[] = []
  // A stack, not recursion: a chain of thousands of spans is a legal trace.
  const stack = roots.toReversed().map((span) => ({ span, depth: 0 }))
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { span, depth } = next
    const key = refKey(span)
    const children = below.get(key) ?? []
    const isCollapsed = collapsed.has(key)
    rows.push({
      key,
      span,
      depth,
      childCount: children.length,
      collapsed: isCollapsed,
      linked: linked.has(key),
    })
    if (isCollapsed) continue
    for (const child of children.toReversed()) stack.push({ span: child, depth: depth + 1 })
  }
  return rows
}

interface Tree {
  readonly roots: readonly JourneySpan[]
  readonly below: ReadonlyMap<string, readonly JourneySpan[]>
  readonly linked: ReadonlySet<string>
}

function treeOf(model: JourneyModel): Tree {
  const { spans, edges } = model.journey
  const linkCause = new Map<string, string>()
  for (const edge of edges) {
    const to = refKey(edge.to)
    if (!linkCause.has(to) && model.spans.has(refKey(edge.from))) linkCause.set(to, refKey(edge.from))
  }
  const linked = new Set<string>()
  const causeOf = new Map<string, string>()
  for (const span of spans) {
    const key = refKey(span)
    const parent = parentOf(model, span)
    const cause = parent === null ? linkCause.get(key) : refKey(parent)
    if (cause === undefined || cause === key) continue
    if (parent === null) linked.add(key)
    causeOf.set(key, cause)
  }
  for (const key of cycleBreakers(spans, causeOf)) causeOf.delete(key)
  const roots: JourneySpan[] = []
  const below = new Map<string, JourneySpan[]>()
  for (const span of spans) {
    const cause = causeOf.get(refKey(span))
    const siblings = cause === undefined ? roots : (below.get(cause) ?? [])
    siblings.push(span)
    if (cause !== undefined) below.set(cause, siblings)
  }
  return { roots, below, linked }
}

/** Of each cycle the span at which it is cut. Every span is walked over once, however long the chains are. */
function cycleBreakers(
  spans: readonly JourneySpan[],
  causeOf: ReadonlyMap<string, string>,
): readonly string[] {
  const walkOf = new Map<string, number>()
  const breakers: string[] = []
  for (const [walk, span] of spans.entries()) {
    let at: string | undefined = refKey(span)
    while (at !== undefined && !walkOf.has(at)) {
      walkOf.set(at, walk)
      at = causeOf.get(at)
    }
    // Met a span of this same walk: the way up leads back to where it came from.
    if (at !== undefined && walkOf.get(at) === walk) breakers.push(at)
  }
  return breakers
}
