import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { formatDuration } from '../format.ts'
import { BrokenChain } from '../ui/glyphs.tsx'
import { useScreen } from '../ui/screen.ts'
import { useWindow } from '../ui/window.ts'
import { AXIS_HEIGHT, Axis, Folds, GridLines } from './axis.tsx'
import type { DrawingProps } from './lanes.tsx'
import { createMeasure } from './measure.ts'
import { chainBreak, type JourneyModel } from './model.ts'
import { type TreeRow, treeRows } from './tree.ts'
import { type TimeView, useTimeView } from './use-viewport.ts'
import { ZoomButtons } from './zoom-buttons.tsx'

const ROW_HEIGHT = 27
const GUTTER_PX = { narrow: 150, medium: 270, wide: 360 }
/** How far a level stands in, and how far at most: names must stay readable at any depth. */
const INDENT_PX = 14
const MAX_INDENT_PX = { narrow: 24, medium: 110, wide: 150 }

/** The spans as a tree of rows, those of other traces below the span that caused them. */
export function Waterfall({ model, state, selection, onSelect, onUpdate }: DrawingProps) {
  const measure = useMemo(createMeasure, [])
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set())
  const rows = useMemo(() => treeRows(model, collapsed), [model, collapsed])
  const gutter = GUTTER_PX[useScreen()]
  const view = useTimeView({ model, state, onUpdate, gutter, padLeft: 6, padRight: 16 })
  const seen = useWindow(view.container, rows.length, ROW_HEIGHT, AXIS_HEIGHT)
  const selectedKey = selection?.kind === 'span' ? selection.key : processOf(model, selection)
  const selectedIndex = rows.findIndex((row) => row.key === selectedKey)
  const tree = useRef<HTMLDivElement>(null)

  // Once for each selection, not whenever the view moves
  useEffect(() => {
    const element = view.container.current
    const row = rows[selectedIndex]
    if (element === null || row === undefined) return
    view.revealMs(row.span.startMs, row.span.startMs + row.span.durationMs)
    const top = selectedIndex * ROW_HEIGHT
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + ROW_HEIGHT + AXIS_HEIGHT > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + ROW_HEIGHT + AXIS_HEIGHT - element.clientHeight
    }
    if (!element.contains(document.activeElement)) return
    const frame = requestAnimationFrame(() => {
      tree.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus({ preventScroll: true })
    })
    return () => cancelAnimationFrame(frame)
  }, [selectedKey])

  const toggle = (key: string): void =>
    setCollapsed((before) => {
      const next = new Set(before)
      if (!next.delete(key)) next.add(key)
      return next
    })
  const select = (row: TreeRow | undefined): void => {
    if (row !== undefined) onSelect({ kind: 'span', key: row.key, span: row.span })
  }
  const press = (event: KeyboardEvent<HTMLDivElement>): void => {
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return
    const at = Math.max(0, selectedIndex)
    const row = rows[at]
    if (event.key === 'ArrowDown') select(rows[selectedIndex < 0 ? 0 : Math.min(rows.length - 1, at + 1)])
    else if (event.key === 'ArrowUp') select(rows[Math.max(0, at - 1)])
    else if (event.key === 'Home') select(rows[0])
    else if (event.key === 'End') select(rows.at(-1))
    else if (row !== undefined && (event.key === 'Enter' || event.key === ' ')) select(row)
    else if (row !== undefined && event.key === 'ArrowRight' && row.collapsed) toggle(row.key)
    else if (row !== undefined && event.key === 'ArrowLeft' && !row.collapsed && row.childCount > 0)
      toggle(row.key)
    else return
    event.preventDefault()
  }
  const height = rows.length * ROW_HEIGHT
  const [top, bottom] = [seen.first * ROW_HEIGHT, Math.min(height, seen.last * ROW_HEIGHT)]
  const shown = rows.slice(seen.first, seen.last)
  const stop = selectedIndex >= seen.first && selectedIndex < seen.last ? selectedIndex : seen.first
  return (
    <section className="drawing" aria-label="Waterfall">
      <div className="lanes waterfall" ref={view.container}>
        <div className="axis-row" style={{ height: AXIS_HEIGHT }}>
          <span className="axis-corner" style={{ width: gutter }} />
          {view.width > 0 && <Axis view={view} measure={measure} />}
        </div>
        <div className="lanes-body" style={{ height }}>
          {view.width > 0 && (
            <svg
              className="waterfall-grid"
              width={view.width}
              height={height}
              style={{ left: gutter }}
              aria-hidden="true"
            >
              <GridLines view={view} top={top} bottom={bottom} />
            </svg>
          )}
          <div className="tree" role="tree" aria-label="Spans" ref={tree} onKeyDown={press}>
            {shown.map((row, offset) => {
              const index = seen.first + offset
              return (
                // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys of its items
                <div
                  key={row.key}
                  role="treeitem"
                  className={`tree-row${row.span.status === 'ERROR' ? ' error' : ''}`}
                  aria-level={row.depth + 1}
                  aria-selected={index === selectedIndex}
                  aria-expanded={row.childCount > 0 ? !row.collapsed : undefined}
                  tabIndex={index === stop ? 0 : -1}
                  style={{ top: index * ROW_HEIGHT, height: ROW_HEIGHT }}
                  onClick={() => select(row)}
                >
                  <RowName model={model} row={row} gutter={gutter} onToggle={() => toggle(row.key)} />
                  {view.width > 0 && <RowBar model={model} row={row} view={view} gutter={gutter} />}
                </div>
              )
            })}
          </div>
          {view.width > 0 && (
            <svg
              className="waterfall-folds"
              width={view.width}
              height={height}
              style={{ left: gutter }}
              aria-hidden="true"
            >
              <Folds view={view} top={top} bottom={bottom} />
            </svg>
          )}
        </div>
      </div>
      <ZoomButtons view={view} />
    </section>
  )
}

function processOf(model: JourneyModel, selection: DrawingProps['selection']): string | null {
  if (selection?.kind !== 'hop') return null
  const hop = model.journey.hops.find((one) => one.index === selection.index)
  const ref = hop?.process ?? hop?.send
  return ref == null ? null : `${ref.traceId}/${ref.spanId}`
}

function RowName({
  model,
  row,
  gutter,
  onToggle,
}: {
  readonly model: JourneyModel
  readonly row: TreeRow
  readonly gutter: number
  readonly onToggle: () => void
}) {
  const { span } = row
  const broken = model.findingsOfSpan.get(row.key)?.some(chainBreak) === true
  const screen = useScreen()
  const indent = Math.min(row.depth * (screen === 'narrow' ? 4 : INDENT_PX), MAX_INDENT_PX[screen])
  return (
    <div className="tree-name" style={{ width: gutter, paddingLeft: 8 + indent }}>
      {row.childCount > 0 ? (
        <button
          type="button"
          className="tree-toggle"
          tabIndex={-1}
          aria-label={row.collapsed ? `Show ${row.childCount} below` : 'Hide what is below'}
          onClick={(event) => {
            event.stopPropagation()
            onToggle()
          }}
        >
          {row.collapsed ? '▸' : '▾'}
        </button>
      ) : (
        <span className="tree-toggle" />
      )}
      <span className={`dot s${(model.serviceIndex.get(span.service) ?? 0) % 8}`} />
      <span className="tree-text" title={`${span.service}: ${span.name}`}>
        {row.linked && (
          <span className="dim" title="linked, in another trace or attempt">
            ⤷{' '}
          </span>
        )}
        <strong>{span.service}</strong> {span.name}
      </span>
      {row.collapsed && <span className="chip">{row.childCount}</span>}
      {broken && <BrokenChain />}
    </div>
  )
}

function RowBar({
  model,
  row,
  view,
  gutter,
}: {
  readonly model: JourneyModel
  readonly row: TreeRow
  readonly view: TimeView
  readonly gutter: number
}) {
  const { scale, viewport, width } = view
  const { span } = row
  const clamp = (x: number): number => Math.min(width, Math.max(0, x))
  const left = scale.x(span.startMs) - viewport.panPx
  const right = Math.max(left + 2, scale.x(span.startMs + span.durationMs) - viewport.panPx)
  const received = (model.hopsOfSpan.get(row.key) ?? []).find((hop) => {
    return hop.kind === 'message' && hop.process?.spanId === span.spanId && hop.sentMs !== null
  })
  const queueLeft = received?.sentMs == null ? null : scale.x(received.sentMs) - viewport.panPx
  const text = `${span.status === 'ERROR' ? '✕ ' : ''}${formatDuration(span.durationMs)}`
  const textWidth = text.length * 7 + 8
  const textLeft =
    right + textWidth < width
      ? right + 6
      : Math.min(left, queueLeft ?? left) > textWidth
        ? Math.min(left, queueLeft ?? left) - textWidth
        : null
  const isVisible = right >= 0 && left <= width
  return (
    <div className="tree-track" style={{ left: gutter }}>
      {queueLeft !== null && queueLeft < left && left > 0 && queueLeft < width && (
        <span
          className="tree-queue"
          style={{ left: clamp(queueLeft), width: clamp(left) - clamp(queueLeft) }}
        />
      )}
      {isVisible && (
        <span
          className={`tree-bar s${(model.serviceIndex.get(span.service) ?? 0) % 8}${span.critical ? ' critical' : ''}`}
          style={{ left: clamp(left), width: Math.max(2, clamp(right) - clamp(left)) }}
        />
      )}
      {isVisible && textLeft !== null && (
        <span className="tree-duration" style={{ left: textLeft }}>
          {text}
        </span>
      )}
      {isVisible && textLeft === null && right - left > textWidth + 8 && (
        <span className="tree-duration inside" style={{ left: clamp(left) + 7 }}>
          {text}
        </span>
      )}
    </div>
  )
}
