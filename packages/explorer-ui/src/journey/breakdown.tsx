import { type ReactNode, useMemo } from 'react'
import { formatDuration } from '../format.ts'
import { TransportGlyph } from '../ui/glyphs.tsx'
import type { JourneyModel } from './model.ts'
import { longestWaits, workByService } from './shares.ts'

const MAX_ROWS = 8

/** Who worked how long, and where messages waited: the journey at a glance while nothing is selected. */
export function Breakdown({ model }: { readonly model: JourneyModel }) {
  const services = useMemo(() => workByService(model), [model])
  const waits = useMemo(() => longestWaits(model), [model])
  return (
    <>
      <Bars
        title="Work by service"
        rows={services.map(([service, ms]) => ({
          key: service,
          ms,
          name: (
            <>
              <span className={`dot s${(model.serviceIndex.get(service) ?? 0) % 8}`} />
              <span className="share-name">{service}</span>
            </>
          ),
        }))}
      />
      <Bars
        title="Longest waits"
        rows={waits.map(({ index, transport, destination, queueMs }) => ({
          key: String(index),
          ms: queueMs ?? 0,
          name: (
            <>
              <TransportGlyph transport={transport} />
              <span className="share-name mono">{destination}</span>
            </>
          ),
        }))}
      />
    </>
  )
}

interface Row {
  readonly key: string
  readonly ms: number
  readonly name: ReactNode
}

/** The greatest comes first: the others are drawn in proportion to it. */
function Bars({ title, rows }: { readonly title: string; readonly rows: readonly Row[] }) {
  const most = rows[0]?.ms ?? 0
  if (rows.length === 0) return null
  return (
    <section className="group shares" aria-label={title}>
      <h3>{title}</h3>
      {rows.slice(0, MAX_ROWS).map(({ key, ms, name }) => (
        <div key={key} className="share">
          <span className="share-head">
            {name}
            <span className="share-ms">{formatDuration(ms)}</span>
          </span>
          <span className="share-bar">
            <span style={{ width: `${most > 0 ? Math.max(1, (100 * ms) / most) : 0}%` }} />
          </span>
        </div>
      ))}
      {rows.length > MAX_ROWS && <p className="dim">and {rows.length - MAX_ROWS} more</p>}
    </section>
  )
}
