import type { Bar, Layout } from './layout.ts'
import type { JourneyModel } from './model.ts'
import type { Selection } from './state.ts'
import type { TimeView } from './use-viewport.ts'

/** The span or message that an element of the drawing stands for; null when it stands for none. */
export function itemOf(target: EventTarget | null, model: JourneyModel): Selection {
  const item = target instanceof Element ? target.closest<SVGElement>('[data-span],[data-hop]') : null
  if (item === null) return null
  const { span: key, hop } = item.dataset
  if (hop !== undefined) return { kind: 'hop', index: Number(hop) }
  const span = key === undefined ? undefined : model.spans.get(key)
  return key === undefined || span === undefined ? null : { kind: 'span', key, span }
}

const REACH_PX = 3

/** The span at a point of the drawing, for those that are no elements of their own; null when there is none. */
export function spanAt(layout: Layout, view: TimeView, x: number, y: number): Selection {
  let best: { readonly bar: Bar; readonly distance: number } | null = null
  for (const bar of layout.bars) {
    if (y < bar.y - 1 || y > bar.y + bar.height + 1) continue
    const left = view.scale.x(bar.span.startMs) - view.viewport.panPx
    const right = view.scale.x(bar.span.startMs + bar.span.durationMs) - view.viewport.panPx
    const distance = Math.max(left - x, x - right, 0)
    if (distance <= REACH_PX && (best === null || distance < best.distance)) best = { bar, distance }
  }
  return best === null ? null : { kind: 'span', key: best.bar.key, span: best.bar.span }
}
