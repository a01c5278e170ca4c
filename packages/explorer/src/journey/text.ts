import type { Journey, JourneyHop, JourneySpan } from '../api/schema.ts'
import { missingOf } from './json.ts'

const transportNames: Readonly<Record<string, string>> = {
  http: 'HTTP',
  kafka: 'Kafka',
  mqtt: 'MQTT',
  rabbitmq: 'RabbitMQ',
  grpc: 'gRPC',
}

/** A journey as text for a terminal: a line a hop, the totals, the spans by service, the findings. No newline at the end. */
export function renderJourneyText(journey: Journey): string {
  const rows = journey.hops.map((hop) => rowOf(hop, journey))
  const widthOf = (column: keyof Row) => Math.max(0, ...rows.map((row) => row[column].length))
  const width = {
    transport: widthOf('transport'),
    from: widthOf('from'),
    to: widthOf('to'),
    place: widthOf('place'),
    waited: widthOf('waited'),
    time: widthOf('time'),
  }
  const lines = rows.map((row) =>
    [
      `  ${row.transport.padEnd(width.transport)}`,
      `${row.from.padEnd(width.from)} → ${row.to.padEnd(width.to)}`,
      row.place.padEnd(width.place),
      row.waited.padEnd(width.waited),
      row.time.padStart(width.time),
      row.notes,
    ]
      .join('  ')
      .trimEnd(),
  )
  const findings = journey.findings.map(({ title }) => `  ! ${title}`)
  return [titleOf(journey), ...lines, `  ${totalsOf(journey)}`, `  ${spansOf(journey)}`, ...findings].join(
    '\n',
  )
}

interface Row {
  readonly transport: string
  readonly from: string
  readonly to: string
  readonly place: string
  readonly waited: string
  readonly time: string
  readonly notes: string
}

function rowOf(hop: JourneyHop, journey: Journey): Row {
  const isQueued = hop.kind === 'message' && hop.transport !== 'http'
  const time = isQueued ? hop.queueMs : (hop.durationMs ?? hop.queueMs)
  const batchSize = batchOf(hop, journey)
  const notes = [
    batchSize === null ? '' : `in a batch of ${batchSize}`,
    hop.qos === null ? '' : `QoS ${hop.qos}`,
    hop.attempts > 1 ? `${hop.attempts} attempts` : '',
    hop.error ? 'ERROR' : '',
  ]
  return {
    transport: transportNames[hop.transport] ?? hop.transport,
    from: hop.from ?? 'unknown',
    to: hop.to ?? (hop.kind === 'message' ? 'nobody seen' : 'unknown'),
    place: placeOf(hop),
    waited: isQueued && time !== null ? 'waited' : '',
    time: time === null ? '' : durationText(time),
    notes: notes.filter((note) => note !== '').join(', '),
  }
}

/** How many messages were handled together with this one. A large batch's links stand on parts of it, its size on the whole. */
function batchOf({ process }: JourneyHop, { spans }: Journey): number | null {
  const receiver = spans.find(
    ({ spanId, traceId }) => spanId === process?.spanId && traceId === process.traceId,
  )
  if (receiver?.role !== 'receive') return receiver?.batchSize ?? null
  const whole = spans.find(
    ({ spanId, traceId }) => spanId === receiver.parentSpanId && traceId === receiver.traceId,
  )
  return whole?.batchSize ?? receiver.batchSize
}

function placeOf({ destination, partition, offset }: JourneyHop): string {
  if (partition === null) return destination
  return `${destination}[${partition}]${offset === null ? '' : `@${offset}`}`
}

function titleOf({ id, event, traceIds }: Journey): string {
  const parts = [`journey of ${shortOf(id)}${event?.type ? ` ${event.type}` : ''}`]
  if (event?.subject) parts.push(`subject ${event.subject}`)
  const [traceId, ...others] = traceIds
  parts.push(`trace ${shortOf(traceId ?? '')}${others.length > 0 ? ` + ${others.length} linked` : ''}`)
  return parts.join('  ')
}

function totalsOf(journey: Journey): string {
  const { durationMs, workMs, queueMs, waitMs } = journey.totals
  const inMs = durationMs < 1_000
  const part = (name: string, ms: number) => `${name} ${inMs ? ms.toFixed(1) : durationText(ms)}`
  const parts = [part('work', workMs), part('queue', queueMs)]
  if (waitMs >= 0.05) parts.push(part('wait', waitMs))
  const missing = missingOf(journey)
  return [
    `total ${durationText(durationMs)} = ${parts.join(' + ')}`,
    countOf(journey.services.length, 'service'),
    countOf(journey.spans.length, 'span'),
    countOf(journey.traceIds.length, 'trace'),
    missing.length === 0 ? 'nothing missing' : `missing: ${missing.join('; ')}`,
  ].join(' · ')
}

/** `(8: station send; webhook process, send; …)` */
function spansOf({ spans, services }: Journey): string {
  const groups = services.map((service) => {
    const words = new Map<string, number>()
    for (const span of spans)
      if (span.service === service) words.set(wordOf(span), (words.get(wordOf(span)) ?? 0) + 1)
    return `${service} ${[...words].map(([word, n]) => (n > 1 ? `${word} ×${n}` : word)).join(', ')}`
  })
  return `(${spans.length}: ${groups.join('; ')})`
}

const wordOf = ({ role, operation, name }: JourneySpan): string => (role === 'internal' ? name : operation)

const countOf = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`
const shortOf = (id: string): string => (id.length > 12 ? `${id.slice(0, 8)}…` : id)

/** `3.4 ms`, `4.2 s`, `4 m 12 s`, `2 h 13 m`. */
export function durationText(ms: number): string {
  const size = Math.abs(ms)
  if (size < 1_000) return `${ms.toFixed(1)} ms`
  if (size < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(size / 1_000)
  const sign = ms < 0 ? '-' : ''
  if (seconds < 3_600) return `${sign}${Math.floor(seconds / 60)} m ${seconds % 60} s`
  return `${sign}${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} m`
}
