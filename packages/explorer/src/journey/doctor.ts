import type { Finding } from '../api/schema.ts'
import { textOf } from '../otlp/value.ts'
import { danglingOf, type Evidence } from './dangling.ts'
import type { Graph } from './graph.ts'
import { type NodeHop, refOf } from './hops.ts'
import { isConsumption, type Node } from './node.ts'

export type { Evidence }

/** What is not as it should be in a journey; a cause is named only with its evidence. */
export function findingsOf(graph: Graph, hops: readonly NodeHop[], evidence: Evidence): Finding[] {
  return [
    ...hops.flatMap(missingContext),
    ...danglingOf(graph, hops, evidence),
    ...hops.flatMap(rejected),
    ...clockSkew(hops),
    ...duplicateIds(graph),
    ...cycles(graph),
    ...droppedLinks(graph),
  ]
}

export const placeOf = (transport: string, destination: string): string =>
  `${transport === 'http' ? 'path' : 'topic'} ${destination}`

function missingContext({ hop, send, receiver }: NodeHop): Finding[] {
  if (send || !receiver || !isConsumption(receiver)) return []
  const { meaning, span } = receiver
  const isRoot = span.parentSpanId === null && span.links.length === 0
  if (!isRoot && !meaning.missingContext && meaning.invalidContext === null) return []
  const place = placeOf(hop.transport, hop.destination)
  const source = meaning.event?.source ?? textOf(span.attributes.get('messaging.rabbitmq.app_id'))
  const who = source ? ` The event's source is ${source}.` : ''
  const at =
    hop.partition !== null && hop.offset !== null
      ? ` at ${hop.destination}[${hop.partition}]@${hop.offset}`
      : ''
  const common = {
    severity: 'warning',
    span: refOf(receiver),
    missing: null,
    hop: hop.index,
  } as const
  if (meaning.invalidContext !== null)
    return [
      {
        ...common,
        code: 'invalid-context',
        title: `invalid context "${meaning.invalidContext}", publisher unknown, ${place}`,
        detail: `${hop.to} got a message${at} whose traceparent cannot be read: "${meaning.invalidContext}".${who} Its trace begins here.`,
        fix: 'The publisher must write traceparent as W3C Trace Context says: 00-<32 hex>-<16 hex>-<2 hex>.',
      },
    ]
  return [
    {
      ...common,
      code: 'no-context',
      title: `no context, publisher unknown, ${place}`,
      detail: `${hop.to} got a message${at} without a traceparent.${who} Its trace begins here.`,
      fix: 'Instrument the publisher, or have it write the headers traceparent and tracestate of its current span.',
    },
  ]
}

function rejected({ hop, receiver, retries }: NodeHop): Finding[] {
  return [receiver, ...retries].flatMap((node): Finding[] => {
    if (node?.meaning.outcome !== 'reject') return []
    const reason = node.span.statusMessage || textOf(node.span.attributes.get('error.type'))
    const tries = hop.attempts > 1 ? ` after ${hop.attempts} attempts` : ''
    return [
      {
        code: 'rejected',
        severity: 'error',
        title: `rejected by ${hop.to}${tries}, ${placeOf(hop.transport, hop.destination)}`,
        detail: `${hop.to} rejected the message${tries}${reason ? `: ${reason}` : ''}. It went to the dead letter destination, where there is one.`,
        fix: 'Mend the cause, then replay the message from the dead letter destination.',
        span: refOf(node),
        missing: null,
        hop: hop.index,
      },
    ]
  })
}

function clockSkew(hops: readonly NodeHop[]): Finding[] {
  const early = hops.filter(({ hop }) => hop.queueMs !== null && hop.queueMs < 0)
  const pairs = Map.groupBy(early, ({ hop }) => `${hop.from ?? 'the publisher'} and ${hop.to}`)
  return [...pairs].map(([pair, of]): Finding => {
    const ms = Math.max(...of.map(({ hop }) => -(hop.queueMs ?? 0)))
    const [first] = of
    return {
      code: 'clock-skew',
      severity: 'warning',
      title: `clocks of ${pair} differ by at least ${ms.toFixed(1)} ms`,
      detail: `Messages were received up to ${ms.toFixed(1)} ms before they were sent (n = ${of.length}); times between these two are off by as much.`,
      fix: 'Synchronise the clocks of the two hosts (NTP, chrony).',
      span: first?.receiver ? refOf(first.receiver) : null,
      missing: null,
      hop: first?.hop.index ?? null,
    }
  })
}

function duplicateIds(graph: Graph): Finding[] {
  const byId = Map.groupBy(graph.nodes, ({ id }) => id)
  return [...byId.values()].flatMap((nodes): Finding[] => {
    const [first, second] = nodes
    if (!first || !second) return []
    const names = nodes.map(({ span }) => `${span.origin.service} "${span.name}"`).join(', ')
    return [
      {
        code: 'duplicate-span-id',
        severity: 'warning',
        title: `${nodes.length} spans have the id ${first.span.spanId}`,
        detail: `These spans of one trace have one id: ${names}. What refers to it may mean any of them; the first is taken.`,
        fix: 'A process was forked or restored with its random state, or a client and a server share one span: give each span its own id.',
        span: refOf(second),
        missing: null,
        hop: null,
      },
    ]
  })
}

function cycles(graph: Graph): Finding[] {
  const done = new Set<string>()
  const findings: Finding[] = []
  for (const node of graph.nodes) {
    const path = new Set<string>()
    let at: Node | undefined = node
    while (at && !done.has(at.id) && !path.has(at.id)) {
      path.add(at.id)
      at = graph.parent(at)
    }
    if (at && path.has(at.id))
      findings.push({
        code: 'cycle',
        severity: 'warning',
        title: `span "${at.span.name}" is its own ancestor`,
        detail: `The parents of ${at.span.spanId} (${at.span.origin.service}) lead back to it. They are shown as they are, and followed once.`,
        fix: 'The sender wrote a wrong parent id.',
        span: refOf(at),
        missing: null,
        hop: null,
      })
    for (const id of path) done.add(id)
  }
  return findings
}

function droppedLinks(graph: Graph): Finding[] {
  return graph.nodes.flatMap((node): Finding[] => {
    const dropped = node.span.droppedLinksCount
    if (dropped === 0) return []
    return [
      {
        code: 'dropped-links',
        severity: 'warning',
        title: `${dropped} links of "${node.span.name}" were dropped by the SDK of ${node.span.origin.service}`,
        detail: `The span kept ${node.span.links.length} links; the messages of the ${dropped} others cannot be followed to it.`,
        fix: 'Raise OTEL_SPAN_LINK_COUNT_LIMIT, or take smaller batches.',
        span: refOf(node),
        missing: null,
        hop: null,
      },
    ]
  })
}
