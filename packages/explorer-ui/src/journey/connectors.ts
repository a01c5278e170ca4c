import type { EdgeKind, JourneyEdge, JourneyHop } from '@throughline/explorer/api'
import type { Bar, Layout, PlacedCapsule } from './layout.ts'
import { type JourneyModel, refKey } from './model.ts'

/** A line from a cause to its effect. Ends are a moment and a height, so that magnifying needs no new layout. */
export interface Connector {
  readonly key: string
  readonly kind: 'sent' | 'received' | 'call' | EdgeKind
  readonly fromMs: number
  readonly fromY: number
  readonly toMs: number
  readonly toY: number
  /** Links, retries, replays and dead letters bend towards the start of the span they caused. */
  readonly bent: boolean
  readonly error: boolean
  /** Drawn only while a span of it is selected. */
  readonly quiet: boolean
  readonly hop: number | null
  /** The two spans it joins, where there are two. */
  readonly spans: readonly string[]
}

interface Box {
  readonly y: number
  readonly height: number
}

/** From the lower edge of the upper box to the upper edge of the lower one, whichever way the event went. */
function facing(from: Box, to: Box): { readonly fromY: number; readonly toY: number } {
  return to.y >= from.y
    ? { fromY: from.y + from.height, toY: to.y }
    : { fromY: from.y, toY: to.y + to.height }
}

function within(bar: Bar, ms: number): number {
  return Math.min(Math.max(ms, bar.span.startMs), bar.span.startMs + bar.span.durationMs)
}

/** Every line of a journey: to and from its messages, its calls, and the links no message explains. */
export function buildConnectors(model: JourneyModel, layout: Layout): readonly Connector[] {
  const connectors: Connector[] = []
  const joined = new Set<string>()
  const retried = new Set(
    model.journey.edges.filter((edge) => edge.kind === 'retry').map((edge) => refKey(edge.to)),
  )
  for (const placed of layout.capsules) connectors.push(...messageConnectors(placed, layout))
  for (const hop of model.journey.hops) {
    if (hop.send !== null && hop.process !== null) joined.add(`${refKey(hop.send)} ${refKey(hop.process)}`)
    if (hop.kind === 'call') connectors.push(...callConnector(hop, layout))
  }
  for (const [index, edge] of model.journey.edges.entries()) {
    const special = edge.kind === 'retry' || edge.kind === 'dead-letter' || edge.kind === 'replay-link'
    // A later attempt hangs on the one that failed; its second line, from the send, would only cross the drawing.
    if (!special && retried.has(refKey(edge.to))) continue
    if (!special && joined.has(`${refKey(edge.from)} ${refKey(edge.to)}`)) continue
    connectors.push(...edgeConnector(edge, index, layout, isOrigin(model, edge)))
  }
  return connectors
}

/**
 * A link to where the event was created says nothing of how it came here, and would cross every lane between with
 * the labels in them.
 */
function isOrigin(model: JourneyModel, { from, to }: JourneyEdge): boolean {
  const links = model.spans.get(refKey(to))?.links ?? []
  return links.some((link) => refKey(link) === refKey(from) && link.attributes.origin === true)
}

function messageConnectors(placed: PlacedCapsule, layout: Layout): readonly Connector[] {
  const { capsule } = placed
  const connectors: Connector[] = []
  const [first] = capsule.hops
  const sends = new Set(capsule.hops.map((hop) => (hop.send === null ? null : refKey(hop.send))))
  const fromMs = capsule.startMs ?? capsule.endMs ?? 0
  if (first !== undefined && sends.size <= 8) {
    for (const key of sends) {
      const bar = key === null ? undefined : layout.barOf.get(key)
      if (bar === undefined) continue
      const ms = capsule.kind === 'bundle' ? bar.span.startMs : fromMs
      connectors.push({
        ...base('sent', `sent ${first.index} ${bar.key}`, first, [bar]),
        fromMs: within(bar, ms),
        toMs: ms,
        ...facing(bar, placed),
      })
    }
  }
  const receivers = Map.groupBy(capsule.hops, (hop) => (hop.process === null ? null : refKey(hop.process)))
  for (const [key, hops] of receivers) {
    const bar = key === null ? undefined : layout.barOf.get(key)
    const [hop] = hops
    if (bar === undefined || hop === undefined) continue
    const late = hop.processedMs !== null && capsule.endMs !== null && hop.processedMs > capsule.endMs
    if (late) continue
    connectors.push({
      ...base('received', `received ${hop.index}`, hop, [bar]),
      fromMs:
        capsule.kind === 'bundle'
          ? (capsule.endMs ?? bar.span.startMs)
          : (hop.processedMs ?? bar.span.startMs),
      toMs: bar.span.startMs,
      ...facing(placed, bar),
    })
  }
  return connectors
}

function base(kind: Connector['kind'], key: string, hop: JourneyHop, bars: readonly Bar[]) {
  const error = bars.some((bar) => bar.span.status === 'ERROR')
  return { key, kind, bent: false, error, quiet: false, hop: hop.index, spans: bars.map((bar) => bar.key) }
}

function callConnector(hop: JourneyHop, layout: Layout): readonly Connector[] {
  const client = hop.send === null ? undefined : layout.barOf.get(refKey(hop.send))
  const server = hop.process === null ? undefined : layout.barOf.get(refKey(hop.process))
  if (client === undefined || server === undefined) return []
  return [
    {
      ...base('call', `call ${hop.index}`, hop, [client, server]),
      fromMs: within(client, server.span.startMs),
      toMs: server.span.startMs,
      ...facing(client, server),
    },
  ]
}

function edgeConnector(
  edge: JourneyEdge,
  index: number,
  layout: Layout,
  quiet: boolean,
): readonly Connector[] {
  const from = layout.barOf.get(refKey(edge.from))
  const to = layout.barOf.get(refKey(edge.to))
  if (from === undefined || to === undefined || from === to) return []
  const isChild = edge.kind === 'child' || edge.kind === 'async-child'
  // Within a lane the rows already show who called whom, and who sent the dead letter.
  const isParent = to.span.parentSpanId === from.span.spanId && to.span.traceId === from.span.traceId
  if (from.lane === to.lane && (isChild || isParent)) return []
  const spans = [from.key, to.key]
  const common = { key: `edge ${index}`, kind: edge.kind, quiet, hop: null, spans }
  if (isChild) {
    const fromMs = within(from, to.span.startMs)
    return [{ ...common, fromMs, toMs: to.span.startMs, ...facing(from, to), bent: false, error: false }]
  }
  return [
    {
      ...common,
      fromMs: Math.min(
        from.span.startMs + from.span.durationMs,
        Math.max(from.span.startMs, to.span.startMs),
      ),
      fromY: to.y >= from.y ? from.y + from.height : from.y,
      toMs: to.span.startMs,
      toY: to.y + to.height / 2,
      bent: true,
      error: edge.kind === 'dead-letter',
    },
  ]
}
