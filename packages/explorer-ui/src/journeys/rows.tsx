import type { JourneySummary } from '@throughline/explorer/api'
import { Fragment, memo, useEffect, useRef, useState } from 'react'
import { count, formatClock, formatDay, formatDuration, shortId, unixMs } from '../format.ts'
import { journeyPath } from '../route.ts'
import { TransportGlyph } from '../ui/glyphs.tsx'
import { isPlain, isTyping } from '../ui/keys.ts'
import { Link } from '../ui/link.tsx'
import { chainOf } from './feed.ts'

/** Journeys as rows, newest first; j and k move from row to row, Enter opens one. */
export function JourneyRows({ journeys }: { readonly journeys: readonly JourneySummary[] }) {
  const list = useRef<HTMLOListElement>(null)
  const [early] = useState(() => new Set(journeys.map((summary) => summary.id)))
  useEffect(() => {
    const step = (event: KeyboardEvent): void => {
      if (isTyping(event) || !isPlain(event) || (event.key !== 'j' && event.key !== 'k')) return
      const links = [...(list.current?.querySelectorAll<HTMLElement>('a.row') ?? [])]
      const active = document.activeElement
      const at = active instanceof HTMLElement ? links.indexOf(active) : -1
      const next = event.key === 'j' ? Math.min(links.length - 1, at + 1) : Math.max(0, at - 1)
      event.preventDefault()
      links[next]?.focus()
    }
    addEventListener('keydown', step)
    return () => removeEventListener('keydown', step)
  }, [])
  return (
    <div className="rows">
      <div className="row-head" aria-hidden="true">
        <span>Time</span>
        <span>Event</span>
        <span>Services</span>
        <span className="right">Duration</span>
        <span className="right">Spans</span>
        <span />
      </div>
      <ol ref={list} aria-label="Journeys">
        {journeys.map((summary) => (
          <li key={summary.id} className={early.has(summary.id) ? undefined : 'arrived'}>
            <Row summary={summary} />
          </li>
        ))}
      </ol>
    </div>
  )
}

const Row = memo(function Row({ summary }: { readonly summary: JourneySummary }) {
  const { event } = summary
  const startMs = unixMs(summary.startUnixNanos)
  const path = journeyPath(summary.id)
  return (
    <Link to={path} className="row">
      <time className="row-time" dateTime={new Date(startMs).toISOString()} title={formatDay(startMs)}>
        {formatClock(startMs)}
      </time>
      <span className="row-event">
        {event === null ? (
          <span className="dim">trace without an event</span>
        ) : (
          <span className="row-type">{event.type ?? 'event without a type'}</span>
        )}
        {event?.subject != null && <span className="row-subject">{event.subject}</span>}
        <span className="row-id" title={event?.id ?? summary.traceId}>
          {shortId(event?.id ?? summary.traceId)}
        </span>
      </span>
      <Chain summary={summary} />
      <span className="row-duration">{formatDuration(summary.durationMs)}</span>
      <span className="row-spans">
        {summary.spanCount.toLocaleString('en')}
        <span className="only-narrow"> {summary.spanCount === 1 ? 'span' : 'spans'}</span>
      </span>
      <span className="row-chips">
        {summary.errorCount > 0 && <span className="chip err">{count(summary.errorCount, 'error')}</span>}
        {summary.findingCount > 0 && (
          <span className="chip warn">{count(summary.findingCount, 'finding')}</span>
        )}
      </span>
    </Link>
  )
})

function Chain({ summary }: { readonly summary: JourneySummary }) {
  const { links, transports } = chainOf(summary)
  return (
    <span className="chain">
      {transports.length > 0 && (
        <span className="chain-transports">
          {transports.map((transport) => (
            <TransportGlyph key={transport} transport={transport} />
          ))}
        </span>
      )}
      {links.map(({ service, via }, index) => (
        <Fragment key={service}>
          {index > 0 && (
            <span className="chain-step">{via === null ? '·' : <TransportGlyph transport={via} />}</span>
          )}
          <span className="chain-service">{service}</span>
        </Fragment>
      ))}
    </span>
  )
}
