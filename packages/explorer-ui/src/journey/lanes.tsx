import { type KeyboardEvent, type MouseEvent, useMemo, useRef } from 'react'
import { useScreen } from '../ui/screen.ts'
import { AXIS_HEIGHT, Axis, Folds, GridLines } from './axis.tsx'
import { buildConnectors } from './connectors.ts'
import { LaneNames } from './lane-names.tsx'
import { layoutJourney } from './layout.ts'
import { CriticalLine, Lines } from './lines.tsx'
import { createMeasure } from './measure.ts'
import type { JourneyModel } from './model.ts'
import { neighbour } from './neighbour.ts'
import { leftPad } from './pad.ts'
import { itemOf, spanAt } from './pick.ts'
import { buildScene, type Scene } from './scene.ts'
import { useReveal, useSeen } from './scrolling.ts'
import { BarElement, BarLabel, CapsuleElement, CapsuleLabel, Patterns } from './shapes.tsx'
import type { Selection, ViewState } from './state.ts'
import { useTimeView } from './use-viewport.ts'
import { ZoomButtons } from './zoom-buttons.tsx'

/** Width of the lanes' names beside the drawing, and their height where they stand above it. */
const GUTTER_PX = { narrow: 0, medium: 172, wide: 212 }
const HEAD_PX = 17
/** Drawn beyond the visible edge, so that scrolling shows no blank before the next frame. */
const OVERSCAN_PX = 140

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
  const screen = useScreen()
  const isNarrow = screen === 'narrow'
  const gutter = GUTTER_PX[screen]
  const padLeft = useMemo(() => leftPad(model), [model])
  const view = useTimeView({ model, state, onUpdate, gutter, padLeft, padRight: isNarrow ? 12 : 36 })
  const { whole, width } = view
  const layout = useMemo(
    () => layoutJourney(model, { scale: whole, measure, headPx: isNarrow ? HEAD_PX : 0 }),
    [model, whole, measure, isNarrow],
  )
  const connectors = useMemo(() => buildConnectors(model, layout), [model, layout])
  const body = useRef<HTMLDivElement>(null)
  const seen = useSeen(body, view.container)
  const top = Math.max(0, seen.top - OVERSCAN_PX)
  const bottom = Math.min(layout.height, seen.bottom + OVERSCAN_PX)
  const selected = selection?.kind === 'span' ? selection.key : null
  const { panPx } = view.viewport
  const scene = useMemo(
    () => buildScene(model, layout, { scale: view.scale, panPx, width, top, bottom, measure, selected }),
    [model, layout, view.scale, panPx, width, top, bottom, measure, selected],
  )
  useReveal(view, layout, selection)

  const click = (event: MouseEvent<SVGSVGElement>): void => {
    const box = event.currentTarget.getBoundingClientRect()
    const item = itemOf(event.target, model)
    onSelect(item ?? spanAt(layout, view, event.clientX - box.left, event.clientY - box.top))
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
      <div className={`lanes${isNarrow ? ' narrow' : ''}`} ref={view.container}>
        <div className="axis-row" style={{ height: AXIS_HEIGHT }}>
          {!isNarrow && <span className="axis-corner" style={{ width: gutter }} />}
          {width > 0 && <Axis view={view} measure={measure} />}
        </div>
        <div className="lanes-body" ref={body} style={{ height: layout.height }}>
          <LaneNames lanes={layout.lanes} gutter={gutter} top={top} bottom={bottom} />
          {gutter > 0 && <span className="gutter-edge" style={{ left: gutter - 1 }} />}
          {width > 0 && (
            // biome-ignore lint/a11y/useSemanticElements: a drawing has no fieldset; its items are what is operated
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
              {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus; the items carry the names */}
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
      <ZoomButtons view={view} />
    </section>
  )
}

function Items({ scene, selection, width }: { scene: Scene; selection: Selection; width: number }) {
  const first = scene.bars[0]?.bar.key
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
            isTabStop={selection === null ? shape.bar.key === first : isSelected}
            isSquare={scene.dense}
            width={width}
          />
        )
      })}
    </>
  )
}
