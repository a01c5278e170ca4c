import { formatDuration } from '../format.ts'
import type { Measure } from './labels.ts'
import { type PlacedStretch, type Tick, ticks } from './scale.ts'
import type { TimeView } from './use-viewport.ts'

export const AXIS_HEIGHT = 32
const LABEL_GAP = 10

/** What stands on the axis: times, and names of folds; where two would touch, the fold's stays. */
interface AxisLabel {
  readonly text: string
  readonly left: number
  readonly right: number
}

function foldName(stretch: PlacedStretch): string {
  const length = formatDuration(stretch.endMs - stretch.startMs)
  return stretch.fold === 'idle' ? `⟿ ${length} idle` : `⟿ ${length}`
}

function axisLabels(
  view: TimeView,
  measure: Measure,
): { folds: readonly AxisLabel[]; times: readonly AxisLabel[] } {
  const { scale, viewport, width } = view
  const taken: AxisLabel[] = []
  const isFree = (label: AxisLabel): boolean =>
    taken.every((other) => label.left > other.right + LABEL_GAP || label.right < other.left - LABEL_GAP)
  for (const stretch of scale.stretches) {
    const centre = (stretch.left + stretch.right) / 2 - viewport.panPx
    if (stretch.fold === null || centre < 0 || centre > width) continue
    const full = foldName(stretch)
    const short = formatDuration(stretch.endMs - stretch.startMs)
    for (const text of [full, short]) {
      const half = measure(text, 'label') / 2
      const left = Math.min(Math.max(4, centre - half), width - 2 * half - 4)
      const label = { text, left, right: left + 2 * half }
      if (!isFree(label)) continue
      taken.push(label)
      break
    }
  }
  const folds = [...taken]
  for (const tick of visibleTicks(view)) {
    const left = tick.x - viewport.panPx + 4
    const label = { text: tick.label, left, right: left + measure(tick.label, 'label') }
    if (label.right < width && label.left > 0 && isFree(label)) taken.push(label)
  }
  return { folds, times: taken.slice(folds.length) }
}

/** The ticks in view. */
export function visibleTicks(view: TimeView): readonly Tick[] {
  return ticks(view.scale, view.viewport.panPx, view.viewport.panPx + view.width)
}

/** The time axis; dragging along it magnifies that part. */
export function Axis({ view, measure }: { readonly view: TimeView; readonly measure: Measure }) {
  const { folds, times } = axisLabels(view, measure)
  return (
    <svg className="axis" width={view.width} height={AXIS_HEIGHT} aria-hidden="true">
      {times.map((label) => (
        <text key={label.left} x={label.left} y={20}>
          {label.text}
        </text>
      ))}
      {folds.map((label) => (
        <text key={label.left} x={label.left} y={20} className="fold-name">
          {label.text}
        </text>
      ))}
      {view.brush !== null && (
        <rect
          className="brush"
          x={view.brush.from}
          width={view.brush.to - view.brush.from}
          height={AXIS_HEIGHT}
        />
      )}
    </svg>
  )
}

/** Vertical lines at the ticks, drawn behind everything. */
export function GridLines({ view, top, bottom }: { view: TimeView; top: number; bottom: number }) {
  const path = visibleTicks(view)
    .map((tick) => `M${Math.round(tick.x - view.viewport.panPx) + 0.5} ${top}V${bottom}`)
    .join('')
  return <path className="grid" d={path} />
}

const TOOTH = 12
const INSET = 14

/** The breaks in the axis: laid over bars and capsules, which so appear broken too. */
export function Folds({ view, top, bottom }: { view: TimeView; top: number; bottom: number }) {
  const { viewport, width } = view
  return view.scale.stretches.map((stretch) => {
    const inset = Math.min(INSET, (stretch.right - stretch.left) / 5)
    const left = stretch.left - viewport.panPx + inset
    const right = stretch.right - viewport.panPx - inset
    if (stretch.fold === null || right < 0 || left > width) return null
    // Counted from the top of the drawing, so that the teeth stand still while it scrolls.
    const first = Math.floor(top / (2 * TOOTH)) * 2 * TOOTH
    const edge = zigzag(first, bottom)
    return (
      <g key={stretch.startMs} className="fold">
        <path className="fold-ground" d={`M${left} ${first}${edge.down}H${right}${edge.up}Z`} />
        <path className="fold-edge" d={`M${left} ${first}${edge.down}M${right} ${first}${edge.down}`} />
      </g>
    )
  })
}

function zigzag(from: number, to: number): { readonly down: string; readonly up: string } {
  const teeth = Math.ceil((to - from) / (2 * TOOTH))
  return {
    down: `l5 ${TOOTH}l-5 ${TOOTH}`.repeat(teeth),
    up: `l5 ${-TOOTH}l-5 ${-TOOTH}`.repeat(teeth),
  }
}
