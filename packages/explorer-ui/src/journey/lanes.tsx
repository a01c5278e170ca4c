import {
  type KeyboardEvent,
  type MouseEvent,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import { middle, transportName } from '../format.ts'
import { TransportGlyph } from '../ui/glyphs.tsx'
import { AXIS_HEIGHT, Axis, Folds, GridLines } from './axis.tsx'
import { buildConnectors } from './connectors.ts'
import { type Lane, type Layout, layoutJourney } from './layout.ts'
import { CriticalLine, Lines } from './lines.tsx'
import { createMeasure } from './measure.ts'
import type { JourneyModel } from './model.ts'
import { neighbour } from './neighbour.ts'
import { leftPad } from './pad.ts'
import { buildScene, type Scene } from './scene.ts'
import { BarElement, BarLabel, CapsuleElement, CapsuleLabel, Patterns } from './shapes.tsx'
import type { Selection, ViewState } from './state.ts'
import { type TimeView, useTimeView } from './use-viewport.ts'
import { ZoomButtons } from './zoom-buttons.tsx'

const GUTTER = 184
const NARROW_PX = 640
const HEAD_PX = 17
/** Drawn beyond the visible edge, so that scrolling shows no blank before the next frame. */
const OVERSCAN_PX = 240

export interface DrawingProps {
  readonly model: JourneyModel
  readonly state: ViewState
  readonly selection: Selection
  readonly onSelect: (selection: Selection) => void
  readonly onUpdate: (change: Partial<ViewState>) => void
}

/** The journey as lanes: services with their spans, destinations with their messages, time from left to right. */
export function Lanes({ model, state, selection, onSelect, onUpdate }: DrawingProps) {
  const measure = useMemo(createMeasure, [])
  const [isNarrow, setNarrow] = useState(() => innerWidth < NARROW_PX)
  const gutter = isNarrow ? 0 : GUTTER
  const padLeft = useMemo(() => leftPad(model), [model])
  const view = useTimeView({ model, state, onUpdate, gutter, padLeft, padRight: isNarrow ? 12 : 36 })
  useEffect(() => {
    const resize = (): void => setNarrow(innerWidth < NARROW_PX)
    addEventListener('resize', resize)
    return () => removeEventListener('resize', resize)
  }, [])
  const { whole, width } = view
  const layout = useMemo(
    () => layoutJourney(model, { scale: whole, measure, headPx: isNarrow ? HEAD_PX : 0 }),
    [model, whole, measure, isNarrow],
  )
  const connectors = useMemo(() => buildConnectors(model, layout), [model, layout])
  const seen = useScroll(view)
  const [top, bottom] = [
    Math.max(0, seen.top - OVERSCAN_PX),
    Math.min(layout.height, seen.bottom + OVERSCAN_PX),
  ]
  const selectedKey = selection?.kind === 'span' ? selection.key : null
  const scene = useMemo(
    () =>
      buildScene(model, layout, {
        scale: view.scale,
        panPx: view.viewport.panPx,
        width,
        top,
        bottom,
        measure,
        selected: selectedKey,
      }),
    [model, layout, view.scale, view.viewport.panPx, width, top, bottom, measure, selectedKey],
  )
  useReveal(view, layout, selection)

  const click = (event: MouseEvent<SVGSVGElement>): void => {
    const next = selectionAt(event, layout, model, view)
    if (next !== undefined) onSelect(next)
  }
  const press = (event: KeyboardEvent<SVGSVGElement>): void => {
    if (event.shiftKey) return
    const focused = itemOf(event.target, model)
    if (focused === null) return
    if (event.key === 'Enter' || event.key === ' ') onSelect(focused)
    else if (event.key.startsWith('Arrow')) {
      const next = neighbour(layout, focused, event.key)
      if (next !== null) onSelect(next)
    } else return
    event.preventDefault()
  }

  return (
    <section className="drawing" aria-label="Lanes">
      <ZoomButtons view={view} />
      <div className={`lanes${isNarrow ? ' narrow' : ''}`} ref={view.container}>
        <div className="axis-row" style={{ height: AXIS_HEIGHT }}>
          {!isNarrow && <span className="axis-corner" style={{ width: GUTTER }} />}
          {width > 0 && <Axis view={view} measure={measure} />}
        </div>
        <div className="lanes-body" style={{ height: layout.height }}>
          <LaneNames lanes={layout.lanes} narrow={isNarrow} top={top} bottom={bottom} />
          {width > 0 && (
            <svg
              className="lanes-drawing"
              width={width}
              height={layout.height}
              role="group"
              aria-label="Spans and messages, in order of time"
              onClick={click}
              onKeyDown={press}
            >
              <Patterns />
              <GridLines view={view} top={top} bottom={bottom} />
              <Lines
                model={model}
                connectors={connectors}
                view={view}
                selection={selection}
                top={top}
                bottom={bottom}
              />
              <Items scene={scene} selection={selection} width={width} />
              <Folds view={view} top={top} bottom={bottom} />
              <CriticalLine model={model} layout={layout} view={view} top={top} bottom={bottom} />
              <g className="labels" aria-hidden="true">
                {scene.bars.map((shape) => (
                  <BarLabel key={shape.bar.key} shape={shape} />
                ))}
                {scene.capsules.map((shape) => (
                  <CapsuleLabel key={shape.placed.capsule.key} shape={shape} />
                ))}
              </g>
            </svg>
          )}
        </div>
      </div>
    </section>
  )
}

function Items({ scene, selection, width }: { scene: Scene; selection: Selection; width: number }) {
  const first = scene.bars[0]?.bar.key
  const hasSelected = selection !== null
  return (
    <>
      {[...scene.specks].map(([colour, path]) => (
        <path
          key={colour}
          className={`specks ${colour === 'error' ? 'error' : `s${Number(colour.slice(1)) % 8}`}`}
          d={path}
        />
      ))}
      {scene.capsules.map((shape) => {
        const isSelected =
          selection?.kind === 'hop' && shape.placed.capsule.hops.some((hop) => hop.index === selection.index)
        return (
          <CapsuleElement
            key={shape.placed.capsule.key}
            shape={shape}
            isSelected={isSelected}
            isTabStop={isSelected}
            width={width}
          />
        )
      })}
      {scene.bars.map((shape) => {
        const isSelected = selection?.kind === 'span' && selection.key === shape.bar.key
        return (
          <BarElement
            key={shape.bar.key}
            shape={shape}
            isSelected={isSelected}
            isTabStop={hasSelected ? isSelected : shape.bar.key === first}
            width={width}
          />
        )
      })}
    </>
  )
}

function LaneNames({
  lanes,
  narrow,
  top,
  bottom,
}: {
  lanes: readonly Lane[]
  narrow: boolean
  top: number
  bottom: number
}) {
  return lanes
    .filter((lane) => lane.top + lane.height >= top && lane.top <= bottom)
    .map((lane) => (
      <div
        key={lane.key}
        className={`lane ${lane.kind}`}
        style={{ top: lane.top, height: lane.height }}
        title={lane.transport === null ? lane.name : `${transportName(lane.transport)} ${lane.name}`}
      >
        <div className="lane-name" style={narrow ? undefined : { width: GUTTER }}>
          {lane.transport === null ? (
            <span className={`dot s${lane.serviceIndex % 8}`} />
          ) : (
            <TransportGlyph transport={lane.transport} />
          )}
          <span className="lane-text">
            {middle(lane.name, narrow ? 44 : lane.kind === 'service' ? 24 : 22)}
          </span>
        </div>
      </div>
    ))
}

function useScroll(view: TimeView): { readonly top: number; readonly bottom: number } {
  const [seen, setSeen] = useState({ top: 0, bottom: 1200 })
  const pending = useRef(0)
  useLayoutEffect(() => {
    const element = view.container.current
    if (element === null) return
    const read = (): void => {
      pending.current = 0
      const next = { top: element.scrollTop, bottom: element.scrollTop + element.clientHeight }
      setSeen((before) => (before.top === next.top && before.bottom === next.bottom ? before : next))
    }
    const schedule = (): void => {
      if (pending.current === 0) pending.current = requestAnimationFrame(read)
    }
    const observer = new ResizeObserver(schedule)
    observer.observe(element)
    element.addEventListener('scroll', schedule, { passive: true })
    read()
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', schedule)
      cancelAnimationFrame(pending.current)
      pending.current = 0
    }
  }, [view.container])
  return seen
}

/** Brings what was selected (by a key, a link, the hop list) into view, and the focus along if it was in the drawing. */
function useReveal(view: TimeView, layout: Layout, selection: Selection): void {
  const name = selection === null ? '' : selection.kind === 'span' ? selection.key : `hop ${selection.index}`
  const { container, revealMs, width } = view
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each selection, not whenever the view moves
  useEffect(() => {
    const element = container.current
    if (element === null || selection === null || width === 0) return
    const placed =
      selection.kind === 'span' ? layout.barOf.get(selection.key) : layout.capsuleOf.get(selection.index)
    if (placed === undefined) return
    if ('span' in placed) revealMs(placed.span.startMs, placed.span.startMs + placed.span.durationMs)
    else
      revealMs(
        placed.capsule.startMs ?? placed.capsule.endMs ?? 0,
        placed.capsule.endMs ?? placed.capsule.startMs ?? 0,
      )
    const [from, to] = [placed.y - 12, placed.y + placed.height + AXIS_HEIGHT + 12]
    if (from < element.scrollTop) element.scrollTop = from
    else if (to > element.scrollTop + element.clientHeight) element.scrollTop = to - element.clientHeight
    if (!element.contains(document.activeElement)) return
    const frame = requestAnimationFrame(() => {
      element.querySelector<SVGGElement>('[aria-pressed="true"]')?.focus({ preventScroll: true })
    })
    return () => cancelAnimationFrame(frame)
  }, [name, width > 0])
}

function itemOf(target: EventTarget | null, model: JourneyModel): Selection {
  const item = target instanceof Element ? target.closest<SVGElement>('[data-span],[data-hop]') : null
  if (item === null) return null
  const { span: key, hop } = item.dataset
  if (hop !== undefined) return { kind: 'hop', index: Number(hop) }
  const span = key === undefined ? undefined : model.spans.get(key)
  return key === undefined || span === undefined ? null : { kind: 'span', key, span }
}

/** What was clicked: an element, or a span that is drawn as a speck of a path. Null: nothing; undefined: keep. */
function selectionAt(
  event: MouseEvent<SVGSVGElement>,
  layout: Layout,
  model: JourneyModel,
  view: TimeView,
): Selection | undefined {
  const item = itemOf(event.target, model)
  if (item !== null) return item
  const box = event.currentTarget.getBoundingClientRect()
  const [x, y] = [event.clientX - box.left + view.viewport.panPx, event.clientY - box.top]
  let best: { readonly bar: Layout['bars'][number]; readonly distance: number } | null = null
  for (const bar of layout.bars) {
    if (y < bar.y - 1 || y > bar.y + bar.height + 1) continue
    const left = view.scale.x(bar.span.startMs)
    const right = view.scale.x(bar.span.startMs + bar.span.durationMs)
    const distance = Math.max(left - x, x - right, 0)
    if (distance <= 3 && (best === null || distance < best.distance)) best = { bar, distance }
  }
  return best === null ? null : { kind: 'span', key: best.bar.key, span: best.bar.span }
}
