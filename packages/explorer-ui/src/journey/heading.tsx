import { Fragment } from 'react'
import { count, formatClock, formatDay, shortId, unixMs } from '../format.ts'
import { searchPath } from '../route.ts'
import { Link } from '../ui/link.tsx'
import { chainBreak, type JourneyModel } from './model.ts'

/** What event it was, and how much the journey has of everything. */
export function Heading({ model }: { readonly model: JourneyModel }) {
  const { journey } = model
  const { event } = journey
  const startMs = unixMs(journey.startUnixNanos)
  const [traceId] = journey.traceIds
  return (
    <div className="heading">
      <div className="title">
        <h1>{event?.type ?? journey.spans[0]?.name ?? 'Journey'}</h1>
        {event?.subject != null && (
          <Link to={searchPath(event.subject)} className="subject" title="Journeys of this subject">
            {event.subject}
          </Link>
        )}
        <span className="mono ids">
          {event !== null && <span title={event.id}>event {shortId(event.id, 12)}</span>}
          {event?.source != null && <span>from {event.source}</span>}
          {traceId !== undefined && (
            <span title={journey.traceIds.join('\n')}>
              trace {shortId(traceId)}
              {journey.traceIds.length > 1 ? ` + ${journey.traceIds.length - 1} linked` : ''}
            </span>
          )}
          <time dateTime={new Date(startMs).toISOString()}>
            {formatDay(startMs)} {formatClock(startMs)}
          </time>
        </span>
      </div>
      <Chips model={model} />
    </div>
  )
}

function Chips({ model }: { readonly model: JourneyModel }) {
  const { journey } = model
  const errors = journey.spans.filter((span) => span.status === 'ERROR').length
  const retries = journey.edges.filter((edge) => edge.kind === 'retry').length
  const deadLetters = journey.edges.filter((edge) => edge.kind === 'dead-letter').length
  const replays = journey.edges.filter((edge) => edge.kind === 'replay-link').length
  const breaks = journey.findings.filter(chainBreak).length
  const others = journey.findings.length - breaks
  const chips: readonly (readonly [string, string, boolean])[] = [
    ['plain', count(journey.services.length, 'service'), true],
    ['plain', count(journey.destinations.length, 'destination'), journey.destinations.length > 0],
    ['plain', count(journey.spans.length, 'span'), true],
    ['plain', count(journey.traceIds.length, 'trace'), journey.traceIds.length > 1],
    ['err', count(errors, 'error'), errors > 0],
    ['warn', count(retries, 'retry', 'retries'), retries > 0],
    ['plain', count(replays, 'replay'), replays > 0],
    ['err', count(deadLetters, 'dead letter'), deadLetters > 0],
    ['warn', `${count(breaks, 'break')} in the chain`, breaks > 0],
    ['warn', count(others, 'finding'), others > 0],
    [
      'warn',
      `${(journey.truncated?.spans ?? 0).toLocaleString('en')} more spans not shown`,
      journey.truncated !== null,
    ],
    ['ok', 'nothing missing', journey.findings.length === 0 && journey.truncated === null],
  ]
  return (
    <div className="chips">
      {chips.map(([tone, text, shown]) => (
        <Fragment key={text}>{shown && <span className={`chip ${tone}`}>{text}</span>}</Fragment>
      ))}
    </div>
  )
}
