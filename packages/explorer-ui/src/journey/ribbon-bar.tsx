import { useMemo } from 'react'
import { formatDuration } from '../format.ts'
import type { JourneyModel } from './model.ts'
import { ribbonPieces } from './ribbon.ts'
import { slowestHop } from './shares.ts'
import type { Selection } from './state.ts'

const WIDTH = 1000

/** Where the time went: `12.9 ms = work 8.3 ms + queue 4.6 ms`, with a bar that shows when. */
export function Ribbon({
  model,
  onSelect,
}: {
  readonly model: JourneyModel
  readonly onSelect: (selection: Selection) => void
}) {
  const pieces = useMemo(() => ribbonPieces(model), [model])
  const { totals } = model.journey
  const slowest = slowestHop(model)
  const parts: readonly (readonly [string, number])[] = [
    ['work', totals.workMs],
    ['queue', totals.queueMs],
    ['wait', totals.waitMs],
  ]
  const shown = parts.filter(([, ms]) => ms > 0)
  const most = Math.max(...parts.map(([, ms]) => ms))
  return (
    <section className="ribbon" aria-label="Where the time went">
      <strong className="ribbon-total">{formatDuration(totals.durationMs)}</strong>
      <svg className="ribbon-bar" viewBox={`0 0 ${WIDTH} 14`} preserveAspectRatio="none" aria-hidden="true">
        <defs>
          <pattern
            id="ribbon-hatch"
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <rect className="hatch-ground" width="6" height="6" />
            <rect className="hatch-line" width="2.2" height="6" />
          </pattern>
        </defs>
        <rect className="ribbon-ground" width={WIDTH} height="14" />
        {pieces.map((piece) => (
          <rect
            key={piece.from}
            className={piece.kind === 'work' ? `fill s${piece.serviceIndex % 8}` : piece.kind}
            fill={piece.kind === 'queue' ? 'url(#ribbon-hatch)' : undefined}
            x={piece.from * WIDTH}
            width={Math.max(1, (piece.to - piece.from) * WIDTH)}
            height="14"
          />
        ))}
      </svg>
      <span className="ribbon-text">
        <span className="ribbon-equals">=</span>
        {shown.map(([name, ms], index) => (
          <span key={name} className={ms === most ? 'most' : undefined}>
            {index > 0 ? '+ ' : ''}
            {name} {formatDuration(ms)}
          </span>
        ))}
        {slowest !== null && (
          <button
            type="button"
            className="link"
            onClick={() => onSelect({ kind: 'hop', index: slowest.index })}
          >
            longest wait: {slowest.destination} → {slowest.to ?? 'unknown'}
          </button>
        )}
      </span>
    </section>
  )
}
