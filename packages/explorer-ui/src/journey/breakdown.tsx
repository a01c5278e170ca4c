import type { ReactNode } from 'react'
import { formatDuration } from '../format.ts'
import { TransportGlyph } from '../ui/glyphs.tsx'
import type { JourneyModel } from './model.ts'

const MAX_ROWS = 8

/** Who worked how long, and where messages waited: the journey at a glance while nothing is selected. */
export function Breakdown({ model }: { readonly model: JourneyModel }) {
  const services = shares(model.journey.spans.map((span) => [span.service, span.selfMs]))
  const waits = model.journey.hops.filter((hop) => hop.kind === 'message' && (hop.queueMs ?? 0) > 0)
  const queues = shares(
    waits.map((hop) => [`${hop.transport}\n${hop.destination}`, hop.queueMs ?? 0]),
    Math.max,
  )
  return (
    <>
      <Bars title="Work by service" rows={services}>
        {(name) => (
          <>
            <span className={`dot s${(model.serviceIndex.get(name) ?? 0) % 8}`} />
            <span className="share-name">{name}</span>
          </>
        )}
      </Bars>
      <Bars title="Longest waits" rows={queues}>
        {(name) => (
          <>
            <TransportGlyph transport={name.slice(0, name.indexOf('\n'))} />
            <span className="share-name mono">{name.slice(name.indexOf('\n') + 1)}</span>
          </>
        )}
      </Bars>
    </>
  )
}

type Row = readonly [name: string, ms: number]

/** One row a name, the greatest first. */
function shares(
  parts: readonly Row[],
  combine: (a: number, b: number) => number = (a, b) => a + b,
): readonly Row[] {
  const totals = new Map<string, number>()
  for (const [name, ms] of parts) totals.set(name, combine(totals.get(name) ?? 0, ms))
  return [...totals].sort((a, b) => b[1] - a[1])
}

function Bars({
  title,
  rows,
  children,
}: {
  readonly title: string
  readonly rows: readonly Row[]
  readonly children: (name: string) => ReactNode
}) {
  const most = rows[0]?.[1] ?? 0
  if (rows.length === 0) return null
  return (
    <section className="group shares">
      <h3>{title}</h3>
      {rows.slice(0, MAX_ROWS).map(([name, ms]) => (
        <div key={name} className="share">
          <span className="share-head">
            {children(name)}
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
