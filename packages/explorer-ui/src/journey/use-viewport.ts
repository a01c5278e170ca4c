import { type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { isPlain, isTyping } from '../ui/keys.ts'
import { attachGestures } from './gestures.ts'
import type { JourneyModel } from './model.ts'
import { createScale, type Scale } from './scale.ts'
import type { ViewState } from './state.ts'
import { buildTimeline } from './timeline.ts'
import { clampPan, reveal, showWindow, type Viewport, WHOLE, zoomAt } from './viewport.ts'

export interface TimeView {
  /** The element whose width the drawing takes, less the gutter. */
  readonly container: RefObject<HTMLDivElement | null>
  /** Width of the visible drawing in pixels; 0 until it has been measured. */
  readonly width: number
  readonly viewport: Viewport
  /** The scale of the whole journey, and of the present zoom. */
  readonly whole: Scale
  readonly scale: Scale
  /** The part of the axis the user is marking to magnify, in pixels. */
  readonly brush: { readonly from: number; readonly to: number } | null
  zoomBy(factor: number): void
  showAll(): void
  revealMs(fromMs: number, toMs: number): void
}

export interface TimeViewOptions {
  readonly model: JourneyModel
  readonly state: ViewState
  readonly onUpdate: (change: Partial<ViewState>) => void
  /** Pixels at the left that belong to names. */
  readonly gutter: number
  readonly padLeft: number
  readonly padRight: number
}

const SETTLE_MS = 250

/** The time axis of a drawing: how wide it is, what part is seen, and the gestures and keys that change it. */
export function useTimeView({
  model,
  state,
  onUpdate,
  gutter,
  padLeft,
  padRight,
}: TimeViewOptions): TimeView {
  const container = useRef<HTMLDivElement>(null)
  const outer = useWidth(container)
  const width = Math.max(0, outer - gutter)
  const stretches = useMemo(() => buildTimeline(model, state.fold), [model, state.fold])
  const scaleAt = useCallback(
    (zoom: number) => createScale({ stretches, width, zoom, padLeft, padRight }),
    [stretches, width, padLeft, padRight],
  )
  const [viewport, setViewport] = useState<Viewport>(WHOLE)
  const [brush, setBrush] = useState<TimeView['brush']>(null)
  const written = useRef<string>('')
  const whole = useMemo(() => scaleAt(1), [scaleAt])
  const scale = useMemo(() => scaleAt(viewport.zoom), [scaleAt, viewport.zoom])

  // The address decides, unless it says what this view has just written there.
  const asked = windowKey(state.window)
  useLayoutEffect(() => {
    if (width === 0 || asked === written.current) return
    written.current = asked
    const window = parseKey(asked)
    setViewport(window === null ? WHOLE : showWindow(window.fromMs, window.toMs, scaleAt, width))
  }, [asked, width, scaleAt])

  useEffect(() => {
    if (width === 0) return
    const timer = setTimeout(() => {
      const window =
        viewport.zoom <= 1
          ? null
          : { fromMs: round(scale.ms(viewport.panPx)), toMs: round(scale.ms(viewport.panPx + width)) }
      const key = windowKey(window)
      if (key === written.current) return
      written.current = key
      onUpdate({ window })
    }, SETTLE_MS)
    return () => clearTimeout(timer)
  }, [viewport, scale, width, onUpdate])

  const zoom = useCallback(
    (factor: number, anchorPx: number) =>
      setViewport((view) => zoomAt(view, factor, anchorPx, scaleAt, width)),
    [scaleAt, width],
  )
  const pan = useCallback(
    (deltaPx: number) =>
      setViewport((view) =>
        clampPan({ ...view, panPx: view.panPx + deltaPx }, scaleAt(view.zoom).width, width),
      ),
    [scaleAt, width],
  )
  const show = useCallback(
    (fromPx: number, toPx: number) =>
      setViewport((view) => {
        const at = scaleAt(view.zoom)
        return showWindow(at.ms(view.panPx + fromPx), at.ms(view.panPx + toPx), scaleAt, width)
      }),
    [scaleAt, width],
  )
  useEffect(() => {
    const element = container.current
    if (element === null) return
    return attachGestures(element, gutter, { zoom, pan, brush: setBrush, show })
  }, [gutter, zoom, pan, show])
  const showAll = useCallback(() => setViewport(WHOLE), [])
  useZoomKeys(zoom, pan, showAll, width)

  const revealMs = useCallback(
    (fromMs: number, toMs: number) =>
      setViewport((view) => {
        if (view.zoom <= 1) return view
        const at = scaleAt(view.zoom)
        return reveal(view, at.x(fromMs), at.x(toMs), at.width, width)
      }),
    [scaleAt, width],
  )
  const zoomBy = useCallback((factor: number) => zoom(factor, width / 2), [zoom, width])
  const clamped = clampPan(viewport, scale.width, width)
  return { container, width, viewport: clamped, whole, scale, brush, zoomBy, showAll, revealMs }
}

function useWidth(container: RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const element = container.current
    if (element === null) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    setWidth(element.clientWidth)
    return () => observer.disconnect()
  }, [container])
  return width
}

function useZoomKeys(
  zoom: (factor: number, anchorPx: number) => void,
  pan: (deltaPx: number) => void,
  showAll: () => void,
  width: number,
): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || isTyping(event) || !isPlain(event)) return
      if (document.querySelector('dialog[open]') !== null) return
      if (event.key === '+' || event.key === '=') zoom(1.5, width / 2)
      else if (event.key === '-') zoom(1 / 1.5, width / 2)
      else if (event.key === '0') showAll()
      else if (event.shiftKey && event.key === 'ArrowLeft') pan(-width / 5)
      else if (event.shiftKey && event.key === 'ArrowRight') pan(width / 5)
      else return
      event.preventDefault()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [zoom, pan, showAll, width])
}

function round(ms: number): number {
  return Number(ms.toFixed(6))
}

function windowKey(window: ViewState['window']): string {
  return window === null ? '' : `${window.fromMs}~${window.toMs}`
}

function parseKey(key: string): ViewState['window'] {
  const [fromMs, toMs] = key.split('~').map(Number)
  return fromMs === undefined || toMs === undefined ? null : { fromMs, toMs }
}
