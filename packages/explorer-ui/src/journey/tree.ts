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
  const causeOf = new Map<string, string>()
  for (const edge of model.journey.edges) {
    const to = refKey(edge.to)
    if (!causeOf.has(to) && model.spans.has(refKey(edge.from))) causeOf.set(to, refKey(edge.from))
  }
  const below = new Map<string, JourneySpan[]>()
  const roots: JourneySpan[] = []
  const linked = new Set<string>()
  const upward = new Map<string, string>()
  for (const span of model.journey.spans) {
    const key = refKey(span)
    const parent = parentOf(model, span)
    const cause = parent === null ? causeOf.get(key) : refKey(parent)
    if (cause === undefined || cause === key || closesCycle(upward, key, cause)) {
      roots.push(span)
      continue
    }
    if (parent === null) linked.add(key)
    upward.set(key, cause)
    const siblings = below.get(cause)
    if (siblings === undefined) below.set(cause, [span])
    else siblings.push(span)
  }
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

function closesCycle(upward: ReadonlyMap<string, string>, key: string, cause: string): boolean {
  for (let at: string | undefined = cause; at !== undefined; at = upward.get(at)) {
    if (at === key) return true
  }
  return false
}
