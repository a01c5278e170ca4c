import type { Scale } from './scale.ts'

/** What part of a drawing is seen: how far it is magnified, and how many pixels are left of the visible edge. */
export interface Viewport {
  readonly zoom: number
  readonly panPx: number
}

export const WHOLE: Viewport = { zoom: 1, panPx: 0 }
export const MAX_ZOOM = 20_000

/** Magnifies by `factor`, keeping the moment under `anchorPx` (from the visible edge) in its place. */
export function zoomAt(
  view: Viewport,
  factor: number,
  anchorPx: number,
  scaleAt: (zoom: number) => Scale,
  visiblePx: number,
): Viewport {
  const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor))
  const ms = scaleAt(view.zoom).ms(view.panPx + anchorPx)
  const scale = scaleAt(zoom)
  return clampPan({ zoom, panPx: scale.x(ms) - anchorPx }, scale.width, visiblePx)
}

/** Moves no further than the drawing goes. */
export function clampPan(view: Viewport, contentPx: number, visiblePx: number): Viewport {
  if (view.zoom <= 1) return WHOLE
  return { zoom: view.zoom, panPx: Math.min(Math.max(0, view.panPx), Math.max(0, contentPx - visiblePx)) }
}

/** Moves just as far as it takes to see from `fromPx` to `toPx` (of the drawing), the beginning first. */
export function reveal(
  view: Viewport,
  fromPx: number,
  toPx: number,
  contentPx: number,
  visiblePx: number,
): Viewport {
  const margin = Math.min(80, visiblePx / 6)
  const { panPx } = view
  if (fromPx >= panPx + margin / 2 && toPx <= panPx + visiblePx - margin / 2) return view
  if (fromPx < panPx + visiblePx - margin && toPx > panPx + visiblePx && fromPx >= panPx + margin) {
    return clampPan(
      { ...view, panPx: Math.min(fromPx - margin, toPx - visiblePx + margin) },
      contentPx,
      visiblePx,
    )
  }
  return clampPan({ ...view, panPx: fromPx - margin }, contentPx, visiblePx)
}

/** The view in which the moments `fromMs` and `toMs` stand at the edges. */
export function showWindow(
  fromMs: number,
  toMs: number,
  scaleAt: (zoom: number) => Scale,
  visiblePx: number,
): Viewport {
  const whole = scaleAt(1)
  let folded = 0
  let plain = 0
  for (const stretch of whole.stretches) {
    const from = Math.max(whole.x(fromMs), stretch.left)
    const to = Math.min(whole.x(toMs), stretch.right)
    if (to <= from) continue
    if (stretch.fold === null) plain += to - from
    else folded += to - from
  }
  if (plain <= 0) return WHOLE
  const zoom = Math.min(MAX_ZOOM, Math.max(1, (visiblePx - folded) / plain))
  const scale = scaleAt(zoom)
  return clampPan({ zoom, panPx: scale.x(fromMs) }, scale.width, visiblePx)
}
