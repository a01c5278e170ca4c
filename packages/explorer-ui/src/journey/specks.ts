import { type Bar, type Layout, MARK_PX, MIN_BAR_PX } from './layout.ts'
import type { Frame } from './scene.ts'

/** Beyond this many, only the widest spans are elements; a page of thousands would not move smoothly. */
const MAX_ELEMENTS = 180

/** A bar with the place it has in the frame. */
export interface Extent {
  readonly bar: Bar
  readonly left: number
  readonly right: number
}

/** The bars in view. */
export function visibleBars(layout: Layout, frame: Frame): Extent[] {
  const extents: Extent[] = []
  for (const bar of layout.bars) {
    if (bar.y > frame.bottom || bar.y + bar.height < frame.top) continue
    const left = frame.scale.x(bar.span.startMs) - frame.panPx
    if (left > frame.width + MARK_PX) continue
    const end = frame.scale.x(bar.span.startMs + bar.span.durationMs) - frame.panPx
    const right = Math.max(end, left + MIN_BAR_PX)
    if (right >= -MARK_PX) extents.push({ bar, left, right })
  }
  return extents
}

export interface Thinned {
  readonly elements: readonly Extent[]
  readonly specks: ReadonlyMap<string, string>
  /** Heights of the rows that have specks. */
  readonly speckRows: ReadonlySet<number>
}

/** Keeps the widest as elements; the others become specks, one path a colour. */
export function thinOut(visible: readonly Extent[], frame: Frame): Thinned {
  const specks = new Map<string, string>()
  const speckRows = new Set<number>()
  if (visible.length <= MAX_ELEMENTS) return { elements: visible, specks, speckRows }
  const widths = visible.map((extent) => extent.right - extent.left).sort((a, b) => b - a)
  const limit = Math.max(widths[MAX_ELEMENTS] ?? 0, MIN_BAR_PX)
  const elements: Extent[] = []
  const parts = new Map<string, string[]>()
  const drawn = new Set<number>()
  for (const extent of visible) {
    if (
      (extent.right - extent.left > limit && elements.length < MAX_ELEMENTS) ||
      extent.bar.key === frame.selected
    ) {
      elements.push(extent)
      continue
    }
    const { bar } = extent
    speckRows.add(bar.y)
    const left = Math.max(-2, Math.round(extent.left))
    const width = Math.max(1, Math.min(frame.width + 2, Math.round(extent.right)) - left)
    // Where thousands share a pixel of a row, one of them is drawn; an error is always drawn.
    const isError = bar.span.status === 'ERROR'
    const spot = (bar.y * 8192 + left) * 2 + Number(isError)
    if (width <= MIN_BAR_PX && drawn.has(spot)) continue
    drawn.add(spot)
    const colour = isError ? 'error' : `s${bar.serviceIndex}`
    const list = parts.get(colour) ?? []
    if (list.length === 0) parts.set(colour, list)
    list.push(`M${left} ${bar.y}h${width}v${bar.height}h${-width}z`)
  }
  for (const [colour, list] of parts) specks.set(colour, list.join(''))
  return { elements, specks, speckRows }
}
