import type { Finding, FindingCode } from '../api/schema.ts'
import type { Link } from '../otlp/span.ts'
import { isTrue, textOf } from '../otlp/value.ts'
import type { SpanKey } from '../store/store.ts'
import type { Graph } from './graph.ts'
import { type NodeHop, refOf, sentAtUnixNanos } from './hops.ts'
import { isBatch, isConsumption, type Node, refId } from './node.ts'

/** What causes are judged by. */
export interface Evidence {
  readonly nowUnixMs: number
  /** Receipt of the oldest span that is kept; null in an empty store. */
  readonly oldestUnixMs: number | null
  readonly exists: (ref: SpanKey) => boolean
  /** The trace that was asked for, all of whose links are of interest; null otherwise. */
  readonly traceId: string | null
}

/** Exporters send every few seconds; younger than this, a span may still be on its way. */
const exportMs = 60_000
/** More than anybody reads, and a bound to what spans full of invented links cost. */
const maxFindings = 200
const maxLookups = 5_000
const sampledFlag = 0x01
/** Set where an SDK fills in the flags of links at all (OTLP SpanFlags: context has is_remote). */
const flagsKnown = 0x100

/** References to spans that the store does not have: one finding a missing span, with its cause. */
export function danglingOf(graph: Graph, hops: readonly NodeHop[], evidence: Evidence): Finding[] {
  const findings = new Map<string, Finding>()
  let lookups = 0
  const note = (node: Node, missing: SpanKey, link: Link | undefined, as: string) => {
    const id = refId(missing)
    if (findings.has(id) || graph.get(id) || lookups >= maxLookups || findings.size >= maxFindings) return
    lookups += 1
    if (evidence.exists(missing)) return
    findings.set(id, findingOf(node, missing, link, as, hops, evidence))
  }
  for (const node of graph.nodes) {
    const { traceId, parentSpanId, links } = node.span
    if (parentSpanId !== null) {
      const parent = { traceId, spanId: parentSpanId }
      note(
        node,
        parent,
        links.find((link) => refId(link) === refId(parent)),
        'parent',
      )
    }
    // The other messages of a batch are not this journey's, unless it is the batch that was asked for.
    if (isBatch(node) && traceId !== evidence.traceId) continue
    for (const link of links) {
      // Where an event was created need not be anywhere near here; a few seconds say nothing about it.
      const isOrigin = isTrue(link.attributes.get('origin'))
      if (!isOrigin || evidence.nowUnixMs - node.receivedUnixMs >= exportMs)
        note(node, link, link, isOrigin ? 'origin' : 'link target')
    }
  }
  return [...findings.values()]
}

function findingOf(
  node: Node,
  missing: SpanKey,
  link: Link | undefined,
  as: string,
  hops: readonly NodeHop[],
  evidence: Evidence,
): Finding {
  const { service } = node.span.origin
  const own = hops.find(({ hop, receiver }) => receiver === node && hop.from === null)
  const sender = node.meaning.role === 'server' ? 'caller' : 'sender'
  const isOrigin = as === 'origin'
  const what = isOrigin
    ? `the span in which event ${node.meaning.event?.id ?? ''} was created`
    : own
      ? `the ${sender} of ${own.hop.transport} ${own.hop.destination}`
      : isConsumption(node)
        ? `a ${as} of the consumer of ${node.meaning.system ?? 'message'} ${node.meaning.destination ?? ''}`.trimEnd()
        : `the ${as} of "${node.span.name}"`
  const { code, title, detail, fix } = causeOf(node, link, evidence)
  return {
    code,
    severity:
      isOrigin || code === 'not-exported-yet' ? 'info' : code === 'span-not-received' ? 'error' : 'warning',
    title: `${title}: ${what}, to which ${service} refers`,
    detail: `"${node.span.name}" of ${service} names ${missing.traceId}/${missing.spanId} as its ${as}, and no such span is here. ${detail}`,
    fix,
    span: refOf(node),
    missing: { traceId: missing.traceId, spanId: missing.spanId },
    hop:
      own?.hop.index ??
      hops.find(({ receiver, send }) => receiver === node || send === node)?.hop.index ??
      null,
  }
}

interface Cause {
  readonly code: FindingCode
  readonly title: string
  readonly detail: string
  readonly fix: string | null
}

function causeOf(node: Node, link: Link | undefined, { nowUnixMs, oldestUnixMs }: Evidence): Cause {
  if (link && isKnownUnsampled(node, link))
    return {
      code: 'sampled-out',
      title: 'sampled out',
      detail: 'Its context says that it was not sampled.',
      fix: 'Sample by the parent (parentbased_always_on), or in the Collector, where whole traces are kept.',
    }
  const sentUnixMs = sentUnixMsOf(node)
  if (sentUnixMs !== null && oldestUnixMs !== null && sentUnixMs + exportMs < oldestUnixMs)
    return {
      code: 'older-than-retention',
      title: 'older than what is kept',
      detail: `The message was sent at ${isoOf(sentUnixMs)}; the oldest span here came at ${isoOf(oldestUnixMs)}.`,
      fix: 'Keep spans longer than messages wait (retention).',
    }
  const ageMs = nowUnixMs - node.receivedUnixMs
  if (ageMs < exportMs)
    return {
      code: 'not-exported-yet',
      title: 'not exported yet',
      detail: `What refers to it came ${Math.max(0, Math.round(ageMs / 1000))} s ago; exporters may take up to a minute.`,
      fix: null,
    }
  return {
    code: 'span-not-received',
    title: 'span not received',
    detail:
      'It was not exported, was lost on the way here, or its service is not instrumented and passes the context on.',
    fix: 'See whether that service exports to this explorer (OTEL_EXPORTER_OTLP_ENDPOINT), and what its exporter logs.',
  }
}

/** Python's SDK leaves the sampled flag out of links that were sampled: from there it says nothing. */
function isKnownUnsampled({ span }: Node, link: Link): boolean {
  const language = textOf(span.origin.resource.get('telemetry.sdk.language'))
  return language !== 'python' && (link.flags & flagsKnown) !== 0 && (link.flags & sampledFlag) === 0
}

function sentUnixMsOf(node: Node): number | null {
  const nanos = sentAtUnixNanos(node)
  if (nanos !== null) return Number(nanos / 1_000_000n)
  const original = Date.parse(textOf(node.span.attributes.get('app.original_timestamp')) ?? '')
  return Number.isNaN(original) ? null : original
}

const isoOf = (unixMs: number): string => new Date(unixMs).toISOString()
