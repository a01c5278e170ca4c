import type { EdgeKind, Finding, JourneyHop } from '@throughline/explorer/api'
import { chainBreak, hopFindings, type JourneyModel, refKey } from './model.ts'

/**
 * A message as it is drawn: from the start of its send to the start of its process. One message that several
 * services received is one capsule with several hops; the members of a large batch are one `bundle`.
 */
export interface Capsule {
  readonly key: string
  readonly kind: 'message' | 'bundle'
  readonly transport: string
  readonly destination: string
  readonly hops: readonly JourneyHop[]
  /** Null: nobody knows when it was sent, or it was never seen received. Drawn as a stub with an open end. */
  readonly startMs: number | null
  readonly endMs: number | null
  /** The chain breaks before (no publisher known) or behind (nobody seen receiving) this message. */
  readonly brokenStart: boolean
  readonly brokenEnd: boolean
  readonly error: boolean
  /** Why the chain breaks here; null when nothing says. */
  readonly reason: Finding | null
}

/** Members of a batch beyond which they are drawn as one bundle. */
const BUNDLE_ABOVE = 8

/** The messages of a journey, in order of their first moment. Calls are no messages. */
export function buildCapsules(model: JourneyModel): readonly Capsule[] {
  const messages = model.journey.hops.filter((hop) => hop.kind === 'message')
  const marks = marksOf(model)
  const capsules: Capsule[] = []
  const [bundles, singles] = splitBundles(model, messages)
  for (const hops of bundles) capsules.push(capsuleOf(model, hops, marks, 'bundle'))
  for (const hops of Map.groupBy(singles, messageKey).values()) {
    capsules.push(capsuleOf(model, hops, marks, 'message'))
  }
  return capsules.sort((a, b) => firstMoment(a) - firstMoment(b))
}

interface Marks {
  /** Spans that processed a message again, on somebody's wish. */
  readonly replays: ReadonlySet<string>
  /** Sends that failed, or that sent a message to its dead letter destination. */
  readonly failed: ReadonlySet<string>
}

function marksOf(model: JourneyModel): Marks {
  const targets = (kind: EdgeKind): readonly string[] =>
    model.journey.edges.filter((edge) => edge.kind === kind).map((edge) => refKey(edge.to))
  const errors = model.journey.spans.filter((span) => span.status === 'ERROR').map(refKey)
  return { replays: new Set(targets('replay-link')), failed: new Set([...targets('dead-letter'), ...errors]) }
}

/** Start, or end where the start is not known. */
export function firstMoment(capsule: Capsule): number {
  return capsule.startMs ?? capsule.endMs ?? 0
}

/** The member of a batch that is this journey's own event stays a capsule of its own; the rest are bundled. */
function splitBundles(
  model: JourneyModel,
  messages: readonly JourneyHop[],
): readonly [readonly JourneyHop[][], readonly JourneyHop[]] {
  const byBatch = Map.groupBy(messages, (hop) =>
    hop.process === null ? null : `${refKey(hop.process)} ${hop.transport} ${hop.destination}`,
  )
  const bundles: JourneyHop[][] = []
  const singles: JourneyHop[] = []
  for (const [batch, hops] of byBatch) {
    if (batch === null || hops.length <= BUNDLE_ABOVE) {
      singles.push(...hops)
      continue
    }
    const own = hops.filter((hop) => isOwnEvent(model, hop))
    const ownIsFew = own.length <= BUNDLE_ABOVE
    singles.push(...(ownIsFew ? own : []))
    bundles.push(ownIsFew ? hops.filter((hop) => !own.includes(hop)) : hops)
  }
  return [bundles, singles]
}

function isOwnEvent(model: JourneyModel, hop: JourneyHop): boolean {
  const id = model.journey.event?.id
  const send = hop.send === null ? undefined : model.spans.get(refKey(hop.send))
  return id !== undefined && send?.attributes['cloudevents.event_id'] === id
}

function messageKey(hop: JourneyHop): string {
  if (hop.send === null) return `hop ${hop.index}`
  return `${refKey(hop.send)} ${hop.transport} ${hop.destination}`
}

function capsuleOf(
  model: JourneyModel,
  hops: readonly JourneyHop[],
  { replays, failed }: Marks,
  kind: Capsule['kind'],
): Capsule {
  const [first] = hops
  const sent = hops.map((hop) => hop.sentMs).filter((ms) => ms !== null)
  const received = firstReceipts(hops, replays)
  const endMs = received.length === 0 ? null : extreme(received, Math.max)
  const startMs = sent.length === 0 ? null : extreme(sent, Math.min)
  const findings = kind === 'bundle' ? [] : hops.flatMap((hop) => hopFindings(model, hop))
  return {
    key: `${kind} ${first?.index ?? 0}`,
    kind,
    transport: first?.transport ?? '',
    destination: first?.destination ?? '',
    hops,
    startMs,
    // Clock skew can place the receipt before the send: the capsule then shrinks to the send's moment.
    endMs: endMs !== null && startMs !== null ? Math.max(startMs, endMs) : endMs,
    brokenStart: hops.every((hop) => hop.send === null),
    brokenEnd: hops.every((hop) => hop.process === null),
    error: hops.some((hop) => hop.send !== null && failed.has(refKey(hop.send))),
    reason: findings.find(chainBreak) ?? null,
  }
}

/** When each consumer first had the message: later attempts and replays are drawn as such, not as waiting. */
function firstReceipts(hops: readonly JourneyHop[], replays: ReadonlySet<string>): readonly number[] {
  const first = new Map<string, number>()
  const all: number[] = []
  for (const hop of hops) {
    if (hop.processedMs === null) continue
    all.push(hop.processedMs)
    if (hop.process !== null && replays.has(refKey(hop.process))) continue
    const consumer = hop.to ?? ''
    first.set(consumer, Math.min(first.get(consumer) ?? Number.POSITIVE_INFINITY, hop.processedMs))
  }
  return first.size > 0 ? [...first.values()] : all
}

function extreme(values: readonly number[], pick: (a: number, b: number) => number): number {
  return values.reduce((a, b) => pick(a, b))
}
