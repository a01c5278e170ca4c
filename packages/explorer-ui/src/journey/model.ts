import type { Finding, Journey, JourneyHop, JourneySpan, SpanRef } from '@throughline/explorer/api'
import { type CriticalStep, criticalPath } from './critical.ts'

/** A span's name within a journey: span ids are unique within their trace only. */
export function refKey(ref: SpanRef): string {
  return `${ref.traceId}/${ref.spanId}`
}

/** A journey with the look-ups that drawing it needs. */
export interface JourneyModel {
  readonly journey: Journey
  readonly spans: ReadonlyMap<string, JourneySpan>
  readonly children: ReadonlyMap<string, readonly JourneySpan[]>
  readonly hopsOfSpan: ReadonlyMap<string, readonly JourneyHop[]>
  readonly findingsOfSpan: ReadonlyMap<string, readonly Finding[]>
  readonly findingsOfHop: ReadonlyMap<number, readonly Finding[]>
  /** Place of a service in the order of their first span: decides its colour. */
  readonly serviceIndex: ReadonlyMap<string, number>
  readonly critical: readonly CriticalStep[]
  readonly startMs: number
  readonly endMs: number
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** Indexes a journey. Takes spans that point at themselves, at nothing, or twice at the same id as they come. */
export function buildModel(journey: Journey): JourneyModel {
  const spans = new Map<string, JourneySpan>()
  const children = new Map<string, JourneySpan[]>()
  const hopsOfSpan = new Map<string, JourneyHop[]>()
  const findingsOfSpan = new Map<string, Finding[]>()
  const findingsOfHop = new Map<number, Finding[]>()
  let startMs = Number.POSITIVE_INFINITY
  let endMs = Number.NEGATIVE_INFINITY
  for (const span of journey.spans) {
    spans.set(refKey(span), span)
    if (span.parentSpanId !== null && span.parentSpanId !== span.spanId) {
      append(children, `${span.traceId}/${span.parentSpanId}`, span)
    }
    startMs = Math.min(startMs, span.startMs)
    endMs = Math.max(endMs, span.startMs + span.durationMs)
  }
  for (const hop of journey.hops) {
    if (hop.send !== null) append(hopsOfSpan, refKey(hop.send), hop)
    if (hop.process !== null) append(hopsOfSpan, refKey(hop.process), hop)
    for (const ms of [hop.sentMs, hop.processedMs]) {
      if (ms === null) continue
      startMs = Math.min(startMs, ms)
      endMs = Math.max(endMs, ms)
    }
  }
  for (const finding of journey.findings) {
    if (finding.span !== null) append(findingsOfSpan, refKey(finding.span), finding)
    if (finding.hop !== null) append(findingsOfHop, finding.hop, finding)
  }
  if (startMs > endMs) {
    startMs = 0
    endMs = 0
  }
  return {
    journey,
    spans,
    children,
    hopsOfSpan,
    findingsOfSpan,
    findingsOfHop,
    serviceIndex: new Map(journey.services.map((service, index) => [service, index])),
    critical: criticalPath(journey),
    startMs,
    endMs,
  }
}

/** What went wrong at a hop: findings about the hop, or about the span that received it without a cause. */
export function hopFindings(model: JourneyModel, hop: JourneyHop): readonly Finding[] {
  const own = model.findingsOfHop.get(hop.index) ?? []
  const onProcess = hop.process === null ? [] : (model.findingsOfSpan.get(refKey(hop.process)) ?? [])
  return [...own, ...onProcess.filter((finding) => finding.hop === null)]
}

/** The parent span, where it was received and is not the span itself. */
export function parentOf(model: JourneyModel, span: JourneySpan): JourneySpan | null {
  if (span.parentSpanId === null || span.parentSpanId === span.spanId) return null
  return model.spans.get(`${span.traceId}/${span.parentSpanId}`) ?? null
}

/** Whether a hop is a message on its way through a broker: over HTTP and in calls nothing waits in a queue. */
export function isQueued(hop: JourneyHop): boolean {
  return hop.kind === 'message' && hop.transport !== 'http'
}

const CHAIN_BREAKS: ReadonlySet<Finding['code']> = new Set([
  'no-context',
  'invalid-context',
  'span-not-received',
  'not-exported-yet',
  'sampled-out',
  'older-than-retention',
] satisfies Finding['code'][])

/** Whether a finding says that the cause of its span is not known. */
export function chainBreak(finding: Finding): boolean {
  return CHAIN_BREAKS.has(finding.code)
}
