import type { Finding, JourneyHop, JourneySpan } from '@throughline/explorer/api'
import { formatDuration, middle } from '../format.ts'
import type { Capsule } from './capsules.ts'

/** Width of a text in pixels, in the font its kind of label has. */
export type Font = 'label' | 'inside' | 'mono'
export type Measure = (text: string, font: Font) => number

/** What may be written at a bar or capsule, from the fullest to the least; the first that fits is taken. */
export type Wordings = readonly string[]

const MESSAGING_ROLES: ReadonlySet<string> = new Set(['create', 'send', 'receive', 'process', 'settle'])

/** `process` for `process sensor-readings`: the lane already says where. Other names stay whole. */
export function operationOf(span: JourneySpan): string {
  return MESSAGING_ROLES.has(span.role) ? span.operation : span.name
}

/** What a bar may say inside. */
export function barWordings(span: JourneySpan): Wordings {
  const prefix = `${batchMark(span)}${attemptMark(span)}`
  const duration = formatDuration(span.durationMs)
  const name = middle(span.name, 48)
  const operation = middle(operationOf(span), 24)
  return unique([
    `${prefix}${name} ${duration}`,
    `${prefix}${operation} ${duration}`,
    `${prefix}${operation}`,
  ])
}

/** What stands beside a bar too short for its label, or behind a failed one. */
export function besideWordings(span: JourneySpan): Wordings {
  const prefix = `${batchMark(span)}${attemptMark(span)}`
  const duration = formatDuration(span.durationMs)
  const operation = middle(operationOf(span), 24)
  if (span.status !== 'ERROR') return unique([`${prefix}${operation} ${duration}`, operation])
  const reason = middle(span.statusMessage ?? 'failed', 42)
  return unique([
    `${prefix}${operation} ${duration} ✕ ${reason}`,
    `${operation} ✕ ${middle(reason, 20)}`,
    `✕ ${operation}`,
  ])
}

/** What stands beside a failed bar that has its label inside; `duration` where that does not say it. */
export function errorWordings(span: JourneySpan, duration: string | null): Wordings {
  const head = duration === null ? '✕' : `✕ ${duration}`
  const reason = span.statusMessage ?? 'failed'
  const join = duration === null ? ' ' : ' · '
  return unique([`${head}${join}${middle(reason, 48)}`, `${head}${join}${middle(reason, 20)}`, head])
}

function batchMark(span: JourneySpan): string {
  return span.batchSize === null ? '' : `⟦×${span.batchSize.toLocaleString('en')}⟧ `
}

function attemptMark(span: JourneySpan): string {
  return span.attempt === null || span.attempt < 2 ? '' : `attempt ${span.attempt} · `
}

/** `orders[3]@123456`: destination, partition, offset, as far as they are known. */
export function position(hop: JourneyHop, length = 40): string {
  const partition = hop.partition === null ? '' : `[${hop.partition}]`
  const offset = hop.offset === null ? '' : `@${hop.offset}`
  return `${middle(hop.destination, length)}${partition}${offset}`
}

/** `waited 3.4 ms`; over HTTP nothing waits in a queue, so it is the way there: `300 µs`. */
export function waited(hop: JourneyHop): string {
  if (hop.queueMs === null) return hop.processedMs === null ? 'not seen received' : 'wait unknown'
  if (hop.queueMs < 0) return `clock skew ${formatDuration(hop.queueMs)}`
  return hop.transport === 'http'
    ? `${formatDuration(hop.queueMs)} on its way`
    : `waited ${formatDuration(hop.queueMs)}`
}

/** What may stand beside a message capsule. */
export function capsuleWordings(capsule: Capsule): Wordings {
  const [first] = capsule.hops
  if (first === undefined) return []
  if (capsule.kind === 'bundle') {
    const range = waitRange(capsule.hops)
    const head = `${middle(first.destination, 32)} ×${capsule.hops.length.toLocaleString('en')}`
    return unique([`${head} · ${range}`, head, `×${capsule.hops.length}`])
  }
  const qos = first.qos === null ? '' : ` · QoS ${first.qos}`
  const inTime = capsule.hops.filter(
    (hop) => (hop.processedMs ?? 0) <= (capsule.endMs ?? Number.POSITIVE_INFINITY),
  )
  const wait = inTime.length > 1 ? waitRange(inTime) : waited(inTime[0] ?? first)
  if (capsule.brokenStart || capsule.brokenEnd) {
    const why = breakReason(capsule)
    const known = first.queueMs === null ? '' : ` · ${wait}`
    return unique([`${position(first)} · ${why}${known}`, `${position(first, 24)} · ${why}`, why])
  }
  return unique([`${position(first)} · ${wait}${qos}`, `${position(first, 24)} · ${wait}`, wait])
}

const REASONS: Readonly<Partial<Record<Finding['code'], string>>> = {
  'no-context': 'no context, publisher unknown',
  'invalid-context': 'invalid context, publisher unknown',
  'span-not-received': 'sender not received',
  'not-exported-yet': 'sender not exported yet',
  'sampled-out': 'sender sampled out',
  'older-than-retention': 'sender older than what is kept',
}

function breakReason(capsule: Capsule): string {
  if (!capsule.brokenStart) return 'not seen received'
  return (capsule.reason === null ? undefined : REASONS[capsule.reason.code]) ?? 'publisher unknown'
}

function waitRange(hops: readonly JourneyHop[]): string {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const hop of hops) {
    if (hop.queueMs === null) continue
    low = Math.min(low, hop.queueMs)
    high = Math.max(high, hop.queueMs)
  }
  if (low > high) return 'wait unknown'
  const [from, to] = [formatDuration(low), formatDuration(high)]
  return from === to ? `waited ${from}` : `waited ${from} – ${to}`
}

function unique(wordings: readonly string[]): Wordings {
  return [...new Set(wordings)]
}
