import { firstMoment } from './capsules.ts'
import type { Layout } from './layout.ts'
import type { Selection } from './state.ts'

interface Item {
  readonly selection: Exclude<Selection, null>
  readonly ms: number
  readonly y: number
}

/** The item next to a selected one: left and right in time, up and down in the drawing. Null at the edge. */
export function neighbour(layout: Layout, selection: Selection, key: string): Selection {
  if (selection === null) return null
  const items = itemsOf(layout)
  const at = items.findIndex(({ selection: other }) => {
    if (other.kind === 'span') return selection.kind === 'span' && other.key === selection.key
    if (selection.kind !== 'hop') return false
    return layout.capsuleOf.get(selection.index) === layout.capsuleOf.get(other.index)
  })
  const item = items[at]
  if (item === undefined) return null
  if (key === 'ArrowLeft') return items[at - 1]?.selection ?? null
  if (key === 'ArrowRight') return items[at + 1]?.selection ?? null
  const down = key === 'ArrowDown'
  let best: Item | null = null
  for (const other of items) {
    if (down ? other.y <= item.y : other.y >= item.y) continue
    if (best === null || isNearer(other, best, item)) best = other
  }
  return best?.selection ?? null
}

function isNearer(a: Item, b: Item, from: Item): boolean {
  const rows = Math.abs(a.y - from.y) - Math.abs(b.y - from.y)
  return rows < 0 || (rows === 0 && Math.abs(a.ms - from.ms) < Math.abs(b.ms - from.ms))
}

function itemsOf(layout: Layout): readonly Item[] {
  const items: Item[] = layout.bars.map((bar) => ({
    selection: { kind: 'span', key: bar.key, span: bar.span },
    ms: bar.span.startMs,
    y: bar.y,
  }))
  for (const { capsule, y } of layout.capsules) {
    const [hop] = capsule.hops
    if (hop !== undefined)
      items.push({ selection: { kind: 'hop', index: hop.index }, ms: firstMoment(capsule), y })
  }
  return items.sort((a, b) => a.ms - b.ms || a.y - b.y)
}
