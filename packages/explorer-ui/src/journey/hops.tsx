import type { JourneyHop } from '@throughline/explorer/api'
import { useEffect, useRef } from 'react'
import { count, formatDuration, transportName } from '../format.ts'
import { BrokenChain, TransportGlyph } from '../ui/glyphs.tsx'
import { useWindow } from '../ui/window.ts'
import { position } from './labels.ts'
import { hopFindings, isQueued, type JourneyModel } from './model.ts'
import type { Selection } from './state.ts'

const ROW_HEIGHT = 28

/** The hops as a list, the journey in words: transport, who to whom, where, how long it waited. */
export function HopList({
  model,
  selection,
  onSelect,
}: {
  readonly model: JourneyModel
  readonly selection: Selection
  readonly onSelect: (selection: Selection) => void
}) {
  const { hops } = model.journey
  const scroller = useRef<HTMLDivElement>(null)
  const rows = useWindow(scroller, hops.length, ROW_HEIGHT)
  const selectedIndex =
    selection?.kind === 'hop' ? hops.findIndex((hop) => hop.index === selection.index) : -1
  useEffect(() => {
    const element = scroller.current
    if (element === null || selectedIndex < 0) return
    const top = selectedIndex * ROW_HEIGHT
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + ROW_HEIGHT > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + ROW_HEIGHT - element.clientHeight
    }
  }, [selectedIndex])
  if (hops.length === 0) return null
  return (
    <section className="hops" aria-label="Hops">
      <h2>{count(hops.length, 'hop')}</h2>
      <div className="hops-scroll" ref={scroller}>
        <ol style={{ height: hops.length * ROW_HEIGHT }}>
          {hops.slice(rows.first, rows.last).map((hop, offset) => (
            <li key={hop.index} style={{ top: (rows.first + offset) * ROW_HEIGHT, height: ROW_HEIGHT }}>
              <HopRow
                model={model}
                hop={hop}
                isSelected={selectedIndex === rows.first + offset}
                onSelect={() => onSelect({ kind: 'hop', index: hop.index })}
              />
            </li>
          ))}
        </ol>
      </div>
    </section>
  )
}

function HopRow({
  model,
  hop,
  isSelected,
  onSelect,
}: {
  readonly model: JourneyModel
  readonly hop: JourneyHop
  readonly isSelected: boolean
  readonly onSelect: () => void
}) {
  const broken = hopFindings(model, hop).length > 0
  return (
    <button
      type="button"
      className={`hop${isSelected ? ' selected' : ''}${hop.error ? ' error' : ''}`}
      aria-pressed={isSelected}
      onClick={onSelect}
    >
      <span className="hop-transport">
        <TransportGlyph transport={hop.transport} />
        <span className="only-wide">{transportName(hop.transport)}</span>
      </span>
      <span className="hop-way">
        <ServiceName model={model} service={hop.from} />
        <span className="dim">→</span>
        <ServiceName model={model} service={hop.to} />
        {broken && <BrokenChain />}
      </span>
      <span className="hop-where mono">
        {position(hop, 48)}
        {hop.qos === null ? '' : ` · QoS ${hop.qos}`}
        {hop.attempts > 1 ? ` · ${hop.attempts} attempts` : ''}
      </span>
      <span className="hop-wait">{waitText(hop)}</span>
      <span className="hop-duration">{hop.durationMs === null ? '' : formatDuration(hop.durationMs)}</span>
    </button>
  )
}

function waitText(hop: JourneyHop): string {
  if (hop.queueMs === null || !isQueued(hop)) return ''
  return hop.queueMs < 0 ? `skew ${formatDuration(hop.queueMs)}` : `waited ${formatDuration(hop.queueMs)}`
}

/** A service's name with its colour; where nobody was seen, that is said. */
export function ServiceName({
  model,
  service,
}: {
  readonly model: JourneyModel
  readonly service: string | null
}) {
  if (service === null) return <span className="service unknown">unknown</span>
  return (
    <span className="service">
      <span className={`dot s${(model.serviceIndex.get(service) ?? 0) % 8}`} />
      <span className="service-name">{service}</span>
    </span>
  )
}
