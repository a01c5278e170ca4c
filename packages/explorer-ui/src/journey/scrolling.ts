import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { AXIS_HEIGHT } from './axis.tsx'
import type { Layout } from './layout.ts'
import type { Selection } from './state.ts'
import type { TimeView } from './use-viewport.ts'

/** Which part of a high drawing is seen, in its own pixels, whether it scrolls or the page does. */
export function useSeen(body: RefObject<HTMLElement | null>, container: RefObject<HTMLElement | null>) {
  const [seen, setSeen] = useState({ top: 0, bottom: 1200 })
  const pending = useRef(0)
  useLayoutEffect(() => {
    const [inner, outer] = [body.current, container.current]
    if (inner === null || outer === null) return
    const read = (): void => {
      pending.current = 0
      const origin = inner.getBoundingClientRect().top
      const box = outer.getBoundingClientRect()
      const top = Math.round(Math.max(0, box.top) - origin)
      const bottom = Math.round(Math.min(innerHeight, box.bottom) - origin)
      setSeen((before) => (before.top === top && before.bottom === bottom ? before : { top, bottom }))
    }
    const schedule = (): void => {
      if (pending.current === 0) pending.current = requestAnimationFrame(read)
    }
    const observer = new ResizeObserver(schedule)
    observer.observe(outer)
    // Scrolling does not bubble, but it can be captured: one listener for the page and all that scrolls in it.
    addEventListener('scroll', schedule, { passive: true, capture: true })
    read()
    return () => {
      observer.disconnect()
      removeEventListener('scroll', schedule, { capture: true })
      cancelAnimationFrame(pending.current)
      pending.current = 0
    }
  }, [body, container])
  return seen
}

const MARGIN_PX = 12
/** Where the details are a sheet, this share of the screen stays free above it. */
const FREE_ABOVE_SHEET = 0.42
const SHEET_MAX_PX = 860

/** Brings what was selected (by a key, a link, the hop list) into view, and the focus along if it was in the drawing. */
export function useReveal(view: TimeView, layout: Layout, selection: Selection): void {
  const name = selection === null ? '' : selection.kind === 'span' ? selection.key : `hop ${selection.index}`
  const { container, revealMs, width } = view
  // Once for each selection, not whenever the view moves
  useEffect(() => {
    const element = container.current
    if (element === null || selection === null || width === 0) return
    const place = placeOf(layout, selection)
    if (place === null) return
    revealMs(place.fromMs, place.toMs)
    revealRow(element, place.top, place.bottom)
    if (!element.contains(document.activeElement)) return
    const frame = requestAnimationFrame(() => {
      element.querySelector<SVGGElement>('[aria-pressed="true"]')?.focus({ preventScroll: true })
    })
    return () => cancelAnimationFrame(frame)
  }, [name, width > 0])
}

interface Place {
  readonly fromMs: number
  readonly toMs: number
  readonly top: number
  readonly bottom: number
}

function placeOf(layout: Layout, selection: Exclude<Selection, null>): Place | null {
  if (selection.kind === 'span') {
    const bar = layout.barOf.get(selection.key)
    if (bar === undefined) return null
    const { startMs, durationMs } = bar.span
    return { fromMs: startMs, toMs: startMs + durationMs, top: bar.y, bottom: bar.y + bar.height }
  }
  const placed = layout.capsuleOf.get(selection.index)
  if (placed === undefined) return null
  const { startMs, endMs } = placed.capsule
  const [fromMs, toMs] = [startMs ?? endMs ?? 0, endMs ?? startMs ?? 0]
  return { fromMs, toMs, top: placed.y, bottom: placed.y + placed.height }
}

function revealRow(element: HTMLElement, top: number, bottom: number): void {
  const [from, to] = [top - MARGIN_PX, bottom + AXIS_HEIGHT + MARGIN_PX]
  if (from < element.scrollTop) element.scrollTop = from
  else if (to > element.scrollTop + element.clientHeight) element.scrollTop = to - element.clientHeight
  if (innerWidth > SHEET_MAX_PX) return
  const onScreen = element.getBoundingClientRect().top + AXIS_HEIGHT + top - element.scrollTop
  const limit = innerHeight * FREE_ABOVE_SHEET - (bottom - top) - MARGIN_PX
  if (onScreen < AXIS_HEIGHT + MARGIN_PX) scrollBy(0, onScreen - AXIS_HEIGHT - MARGIN_PX)
  else if (onScreen > limit) scrollBy(0, onScreen - limit)
}
