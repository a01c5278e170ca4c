import type { Attributes, Journey, JourneyEvent, JourneySpan } from '../api/schema.ts'
import type { Origin } from '../otlp/span.ts'
import { attributesOf } from '../otlp/value.ts'
import type { EventKey, SpanStore } from '../store/store.ts'
import { type Clock, clockFrom } from './clock.ts'
import { collect, defaultBudget, type Start } from './collect.ts'
import { criticalPath } from './critical.ts'
import { type Delivery, deliveriesOf } from './deliveries.ts'
import { findingsOf } from './doctor.ts'
import { edgesOf } from './edges.ts'
import { type Graph, graphOf } from './graph.ts'
import { durationMs, hopsOf, type NodeHop, sentAtUnixNanos } from './hops.ts'
import { isSameEvent, type Node } from './node.ts'
import { selfMsOf, totalsOf } from './totals.ts'

export interface BuildOptions {
  /** Spans at most; the rest is counted in `truncated`. */
  readonly budget?: number
  readonly nowUnixMs?: number
}

/**
 * The journey that `start` is part of: collected from the store, its hops, edges, times and findings.
 * @returns null when the store knows nothing of `start`
 */
export function buildJourney(store: SpanStore, start: Start, options: BuildOptions = {}): Journey | null {
  const { budget = defaultBudget, nowUnixMs = Date.now() } = options
  const collected = collect(store, start, budget)
  if (!collected) return null
  const graph = graphOf(collected.nodes)
  const deliveries = deliveriesOf(graph)
  const clock = clockFrom(startOf(graph, deliveries))
  const hops = hopsOf(graph, deliveries, clock)
  const critical = criticalPath(graph)
  const event = eventOf(graph, collected.focus)
  const traceIds = [...new Set(graph.nodes.map(({ span }) => span.traceId))]
  const findings = findingsOf(graph, hops, {
    nowUnixMs,
    oldestUnixMs: store.stats().oldestUnixMs,
    exists: ({ traceId, spanId }) => store.bySpan(spanId, traceId, 1).length > 0,
    traceId: start.kind === 'trace' ? start.traceId : null,
  })
  return {
    id: event?.id ?? traceIds[0] ?? '',
    event,
    traceIds,
    startUnixNanos: String(clock.startUnixNanos),
    totals: totalsOf(graph, hops, clock),
    services: [...new Set(graph.nodes.map(({ span }) => span.origin.service))],
    destinations: destinationsOf(hops),
    spans: graph.nodes.map((node) => spanOf(graph, node, clock, critical.has(node))),
    edges: edgesOf(graph, hops),
    hops: hops.map(({ hop }) => hop),
    findings,
    truncated: collected.leftOut > 0 ? { spans: collected.leftOut, budget } : null,
  }
}

/** The earliest span's start, or before it the time at which a message without a known sender says it was sent. */
function startOf(graph: Graph, deliveries: readonly Delivery[]): bigint {
  // In its order the first span need not be the earliest: see graph.nodes.
  const moments = graph.nodes.map(({ span }) => span.startUnixNanos)
  for (const { send, receiver } of deliveries) {
    const sentAt = !send && receiver ? sentAtUnixNanos(receiver) : null
    if (sentAt !== null) moments.push(sentAt)
  }
  let start = moments[0] ?? 0n
  for (const moment of moments) if (moment < start) start = moment
  return start
}

/** The event that was asked for, else the first one; what one span does not say of it another may. */
function eventOf(graph: Graph, focus: EventKey | null): JourneyEvent | null {
  const named = graph.nodes.flatMap(({ meaning: { event } }) => (event ? [event] : []))
  const key = focus ?? named[0]
  if (!key) return null
  const same = named.filter((event) => isSameEvent(event, key))
  const first = (name: 'source' | 'type' | 'subject') =>
    same.find((event) => event[name] !== null)?.[name] ?? null
  return { id: key.id, source: first('source'), type: first('type'), subject: first('subject') }
}

function destinationsOf(hops: readonly NodeHop[]): Journey['destinations'] {
  const seen = new Map<string, { transport: string; name: string }>()
  for (const { hop } of hops) {
    if (hop.kind === 'message' && hop.destination !== '')
      seen.set(`${hop.transport} ${hop.destination}`, { transport: hop.transport, name: hop.destination })
  }
  return [...seen.values()]
}

const resources = new WeakMap<Origin, Attributes>()

function resourceOf(origin: Origin): Attributes {
  const resource = resources.get(origin) ?? attributesOf(origin.resource)
  resources.set(origin, resource)
  return resource
}

function spanOf(graph: Graph, node: Node, clock: Clock, critical: boolean): JourneySpan {
  const { span, meaning } = node
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: span.kind,
    role: meaning.role,
    operation: meaning.operation,
    service: span.origin.service,
    startMs: clock.ms(span.startUnixNanos),
    durationMs: durationMs(node),
    selfMs: selfMsOf(graph, node, clock),
    status: span.status,
    statusMessage: span.statusMessage || null,
    attempt: meaning.attempt,
    batchSize: meaning.batchSize,
    attributes: attributesOf(span.attributes),
    resource: resourceOf(span.origin),
    scope: span.origin.scope,
    events: span.events.map(({ name, unixNanos, attributes }) => ({
      name,
      atMs: clock.ms(unixNanos),
      attributes: attributesOf(attributes),
    })),
    links: span.links.map(({ traceId, spanId, attributes }) => ({
      traceId,
      spanId,
      attributes: attributesOf(attributes),
    })),
    critical,
  }
}
