import type { JourneyHop, JourneySpan, SpanRef } from '@throughline/explorer/api'
import { type ReactNode, useEffect, useRef } from 'react'
import { formatDuration, formatValue, shortId, transportName } from '../format.ts'
import { journeyPath } from '../route.ts'
import { CopyButton } from '../ui/copy.tsx'
import { TransportGlyph } from '../ui/glyphs.tsx'
import { Link } from '../ui/link.tsx'
import { AttributeRows, AttributeTable, Group } from './attributes.tsx'
import { Findings } from './findings.tsx'
import { ServiceName } from './hops.tsx'
import { position, waited } from './labels.ts'
import { hopFindings, type JourneyModel, parentOf, refKey } from './model.ts'
import type { Selection } from './state.ts'

interface DetailProps {
  readonly model: JourneyModel
  readonly onSelect: (selection: Selection) => void
}

/** The details of the selected span or message. A sheet at the foot of the page where the page is narrow. */
export function Panel({ model, selection, onSelect }: DetailProps & { readonly selection: Selection }) {
  const panel = useRef<HTMLElement>(null)
  const name = selection === null ? '' : selection.kind === 'hop' ? `hop ${selection.index}` : selection.key
  // A new selection is read from its top
  useEffect(() => {
    if (panel.current !== null) panel.current.scrollTop = 0
  }, [name])
  const hop =
    selection?.kind === 'hop' ? model.journey.hops.find((one) => one.index === selection.index) : undefined
  return (
    <aside className="panel details" aria-label="Details" ref={panel}>
      <button type="button" className="button small close" onClick={() => onSelect(null)}>
        Close
      </button>
      {selection?.kind === 'span' && <SpanDetails model={model} span={selection.span} onSelect={onSelect} />}
      {hop !== undefined && <HopDetails model={model} hop={hop} onSelect={onSelect} />}
    </aside>
  )
}

function SpanDetails({ model, span, onSelect }: DetailProps & { readonly span: JourneySpan }) {
  const key = refKey(span)
  const hops = model.hopsOfSpan.get(key) ?? []
  const received = hops.filter((hop) => hop.process !== null && refKey(hop.process) === key)
  const sent = hops.filter((hop) => hop.send !== null && refKey(hop.send) === key)
  const parent = parentOf(model, span)
  const findings = model.findingsOfSpan.get(key) ?? []
  return (
    <>
      <h2>{span.name}</h2>
      <p className="sub">
        <ServiceName model={model} service={span.service} /> · {span.operation}
        {span.kind.toLowerCase() === span.operation ? '' : ` · ${span.kind.toLowerCase()}`}
      </p>
      <dl className="facts">
        <Fact name="duration">{formatDuration(span.durationMs)}</Fact>
        {span.selfMs !== span.durationMs && <Fact name="of its own">{formatDuration(span.selfMs)}</Fact>}
        <Fact name="began">+{formatDuration(span.startMs)}</Fact>
        {span.status !== 'UNSET' && (
          <Fact name="status" tone={span.status === 'ERROR' ? 'error' : undefined}>
            {span.status}
            {span.statusMessage === null ? '' : ` · ${span.statusMessage}`}
          </Fact>
        )}
        {span.attempt !== null && <Fact name="attempt">{span.attempt}</Fact>}
        {span.batchSize !== null && (
          <Fact name="batch">⟦×{span.batchSize.toLocaleString('en')}⟧ messages</Fact>
        )}
        {parent !== null && (
          <Fact name="parent">
            <SpanLink model={model} to={parent} onSelect={onSelect} />
          </Fact>
        )}
        <Fact name="span">
          {span.spanId} <CopyButton text={span.spanId} />
        </Fact>
        <Fact name="trace">
          {span.traceId} <CopyButton text={span.traceId} />
        </Fact>
      </dl>
      {findings.length > 0 && <Findings model={model} findings={findings} onSelect={onSelect} />}
      <HopButtons title="Received" hops={received} onSelect={onSelect} />
      <HopButtons title="Sent" hops={sent} onSelect={onSelect} />
      <AttributeTable title="Attributes" attributes={span.attributes} />
      {span.events.length > 0 && (
        <Group title="Events" size={span.events.length}>
          {span.events.slice(0, MAX_LISTED).map((event, index) => (
            <div key={`${index} ${event.name}`} className="entry">
              <p className="entry-head">
                <strong>{event.name}</strong> <span className="dim">+{formatDuration(event.atMs)}</span>
              </p>
              <AttributeRows attributes={event.attributes} />
            </div>
          ))}
        </Group>
      )}
      {span.links.length > 0 && (
        <Group title="Links" size={span.links.length}>
          {span.links.slice(0, MAX_LISTED).map((link) => (
            <div key={refKey(link)} className="entry">
              <p className="entry-head">
                <SpanLink model={model} to={link} onSelect={onSelect} />
              </p>
              <AttributeRows attributes={link.attributes} />
            </div>
          ))}
          {span.links.length > MAX_LISTED && <p className="dim">and {span.links.length - MAX_LISTED} more</p>}
        </Group>
      )}
      <AttributeTable title="Resource" attributes={span.resource} />
      <p className="scope mono">
        scope {span.scope.name === '' ? 'not named' : span.scope.name} {span.scope.version}
      </p>
    </>
  )
}

/** Links and events beyond this are counted, not listed: a batch may have thousands. */
const MAX_LISTED = 100

const WAIT_SOURCES = {
  spans: 'both spans',
  header: 'the message’s sent-at header',
  broker: 'the broker’s timestamp',
} as const

function HopDetails({ model, hop, onSelect }: DetailProps & { readonly hop: JourneyHop }) {
  const send = hop.send === null ? undefined : model.spans.get(refKey(hop.send))
  const process = hop.process === null ? undefined : model.spans.get(refKey(hop.process))
  const findings = hopFindings(model, hop)
  const key =
    send?.attributes['messaging.kafka.message.key'] ?? process?.attributes['messaging.kafka.message.key']
  const siblings = model.journey.hops.filter(
    (other) =>
      other !== hop && hop.send !== null && other.send !== null && refKey(other.send) === refKey(hop.send),
  )
  return (
    <>
      <h2 className="with-glyph">
        <TransportGlyph transport={hop.transport} /> {hop.destination}
      </h2>
      <p className="sub">
        {transportName(hop.transport)} {hop.kind}
      </p>
      <dl className="facts">
        {hop.queueMs !== null && (
          <Fact
            name={hop.transport === 'http' ? 'on its way' : 'waited'}
            tone={hop.queueMs < 0 ? 'error' : 'strong'}
          >
            {formatDuration(hop.queueMs)}
            {hop.queueSource !== null && hop.queueSource !== 'spans' && (
              <span className="dim"> from {WAIT_SOURCES[hop.queueSource]}</span>
            )}
          </Fact>
        )}
        <Fact name="from">
          {send === undefined ? (
            <Unseen service={hop.from} words="publisher unknown" />
          ) : (
            <SpanLink model={model} to={send} onSelect={onSelect} />
          )}
        </Fact>
        <Fact name="to">
          {process === undefined ? (
            <Unseen service={hop.to} words="not seen received" />
          ) : (
            <SpanLink model={model} to={process} onSelect={onSelect} />
          )}
        </Fact>
        {hop.sentMs !== null && <Fact name="sent">+{formatDuration(hop.sentMs)}</Fact>}
        {hop.confirmedMs !== null && (
          <Fact name="confirmed">
            +{formatDuration(hop.confirmedMs)}
            {hop.sentMs !== null && (
              <span className="dim"> after {formatDuration(hop.confirmedMs - hop.sentMs)}</span>
            )}
          </Fact>
        )}
        {hop.processedMs !== null && <Fact name="processed">+{formatDuration(hop.processedMs)}</Fact>}
        {hop.destinationTemplate !== null && <Fact name="template">{hop.destinationTemplate}</Fact>}
        {hop.partition !== null && <Fact name="partition">{hop.partition}</Fact>}
        {hop.offset !== null && <Fact name="offset">{hop.offset}</Fact>}
        {hop.qos !== null && <Fact name="QoS">{hop.qos}</Fact>}
        {hop.attempts > 1 && <Fact name="attempts">{hop.attempts}</Fact>}
        {key !== undefined && <Fact name="key">{formatValue(key)}</Fact>}
        {process?.batchSize != null && (
          <Fact name="batch">⟦×{process.batchSize.toLocaleString('en')}⟧ messages</Fact>
        )}
      </dl>
      {findings.length > 0 && <Findings model={model} findings={findings} onSelect={onSelect} />}
      <HopButtons title="Also received by" hops={siblings} onSelect={onSelect} />
      {send !== undefined && <AttributeTable title="Attributes of the send" attributes={send.attributes} />}
      {process !== undefined && (
        <AttributeTable title="Attributes of the process" attributes={process.attributes} />
      )}
    </>
  )
}

function Unseen({ service, words }: { readonly service: string | null; readonly words: string }) {
  return <span className="warn-text">{service ?? words}</span>
}

function Fact({
  name,
  tone,
  children,
}: {
  name: string
  tone?: 'error' | 'strong' | undefined
  children: ReactNode
}) {
  return (
    <>
      <dt>{name}</dt>
      <dd className={tone}>{children}</dd>
    </>
  )
}

/** A span to go to: in this journey, or by the address of its own where it was not received with it. */
function SpanLink({ model, to, onSelect }: DetailProps & { readonly to: SpanRef }) {
  const span = model.spans.get(refKey(to))
  if (span === undefined) {
    return (
      <Link to={journeyPath(to.spanId)} title={`trace ${to.traceId} span ${to.spanId}`}>
        span {to.spanId} of trace {shortId(to.traceId)} (not in this journey)
      </Link>
    )
  }
  return (
    <button
      type="button"
      className="link"
      onClick={() => onSelect({ kind: 'span', key: refKey(span), span })}
    >
      {span.service} · {span.name}
    </button>
  )
}

function HopButtons({
  title,
  hops,
  onSelect,
}: {
  readonly title: string
  readonly hops: readonly JourneyHop[]
  readonly onSelect: (selection: Selection) => void
}) {
  if (hops.length === 0) return null
  return (
    <Group title={title} size={hops.length}>
      {hops.slice(0, MAX_LISTED).map((hop) => (
        <button
          key={hop.index}
          type="button"
          className="hop-button"
          onClick={() => onSelect({ kind: 'hop', index: hop.index })}
        >
          <TransportGlyph transport={hop.transport} />
          <span>
            {position(hop)}{' '}
            <span className="dim">· {hop.kind === 'call' ? (hop.to ?? 'unknown') : waited(hop)}</span>
          </span>
        </button>
      ))}
      {hops.length > MAX_LISTED && (
        <p className="dim">and {hops.length - MAX_LISTED} more, in the list of hops</p>
      )}
    </Group>
  )
}
