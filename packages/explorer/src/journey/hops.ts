import type { JourneyHop } from '../api/schema.ts'
import type { Clock } from './clock.ts'
import type { Delivery } from './deliveries.ts'
import type { Graph } from './graph.ts'
import { isPublication, type Node } from './node.ts'
import { roundingNanos } from './order.ts'

/** A hop with the spans it was read from. */
export interface NodeHop {
  readonly hop: JourneyHop
  readonly send: Node | null
  readonly receiver: Node | null
  readonly retries: readonly Node[]
}

/** A time of sending this far before the receipt is not believed: it comes from outside, and would stretch the journey. */
const maxQueueNanos = 366n * 24n * 3_600n * 1_000_000_000n

/** When the message was sent as the message itself says (its header, else the broker's timestamp); null where it does not. */
export function sentAtUnixNanos({ meaning, span }: Node): bigint | null {
  if (meaning.sentAtUnixMicros === null || !Number.isSafeInteger(meaning.sentAtUnixMicros)) return null
  const nanos = BigInt(meaning.sentAtUnixMicros) * 1_000n
  const age = span.startUnixNanos - nanos
  return age > maxQueueNanos || age < -maxQueueNanos ? null : nanos
}

/** All hops in order of their beginning: messages from send to process, and calls from client to server. */
export function hopsOf(graph: Graph, deliveries: readonly Delivery[], clock: Clock): NodeHop[] {
  const sends = new Set(deliveries.map(({ send }) => send))
  const calls = callHops(graph, (client) => sends.has(client), clock)
  const hops = [...deliveries.map((delivery) => messageHop(delivery, clock)), ...calls]
  const ordered = orderOf(graph, hops)
  return ordered.map((one, index) => ({ ...one, hop: { ...one.hop, index } }))
}

/**
 * Hops by their beginning, but never before the one that led to them: some instrumentations cut their times to
 * milliseconds, so that a call seems to begin before the process that made it.
 */
function orderOf(graph: Graph, hops: readonly NodeHop[]): NodeHop[] {
  const byReceiver = new Map<Node, NodeHop>()
  for (const one of hops) {
    for (const node of [one.receiver, ...one.retries]) if (node) byReceiver.set(node, one)
  }
  const places = new Map<NodeHop, { readonly beginsMs: number; readonly depth: number }>()

  /** The hop whose receiver sent this one, directly or by spans between. */
  function causeOf({ send }: NodeHop): NodeHop | undefined {
    const seen = new Set<Node>()
    for (let at = send ?? undefined; at && !seen.has(at); at = graph.parent(at)) {
      const cause = byReceiver.get(at)
      if (cause && at !== send) return cause
      seen.add(at)
    }
    return undefined
  }

  for (const one of hops) {
    const chain: NodeHop[] = []
    let at: NodeHop | undefined = one
    while (at && !places.has(at) && !chain.includes(at)) {
      chain.push(at)
      at = causeOf(at)
    }
    for (const next of chain.reverse()) {
      const before = at ? places.get(at) : undefined
      const ownMs = next.hop.sentMs ?? next.hop.processedMs ?? 0
      places.set(next, {
        beginsMs: Math.max(ownMs, before?.beginsMs ?? ownMs),
        depth: (before?.depth ?? 0) + 1,
      })
      at = next
    }
  }
  const none = { beginsMs: 0, depth: 0 }
  return [...hops].sort((a, b) => {
    const [x, y] = [places.get(a) ?? none, places.get(b) ?? none]
    return x.beginsMs - y.beginsMs || x.depth - y.depth || (a.hop.processedMs ?? 0) - (b.hop.processedMs ?? 0)
  })
}

function messageHop({ send, receiver, retries }: Delivery, clock: Clock): NodeHop {
  const a = send?.meaning
  const b = receiver?.meaning
  const stated = receiver && !send ? sentAtUnixNanos(receiver) : null
  const sent = send?.span.startUnixNanos ?? stated
  const sentMs = sent === null ? null : clock.ms(sent)
  const processedMs = receiver ? clock.ms(arrivalUnixNanos(receiver, sent)) : null
  const nodes = [send, receiver, ...retries].filter((node) => node !== null)
  const last = retries.at(-1) ?? receiver
  const hop: JourneyHop = {
    index: 0,
    kind: 'message',
    transport: a?.system ?? b?.system ?? 'unknown',
    destination: a?.destination ?? b?.destination ?? '',
    destinationTemplate: a?.template ?? b?.template ?? null,
    partition: b?.partition ?? a?.partition ?? null,
    offset: b?.offset ?? a?.offset ?? null,
    qos: a?.qos ?? b?.qos ?? null,
    from: send?.span.origin.service ?? null,
    to: receiver?.span.origin.service ?? null,
    send: send ? refOf(send) : null,
    process: receiver ? refOf(receiver) : null,
    sentMs,
    confirmedMs: send ? clock.ms(send.span.endUnixNanos) : null,
    processedMs,
    queueMs: sentMs === null || processedMs === null ? null : processedMs - sentMs,
    queueSource: sentMs === null || processedMs === null ? null : send ? 'spans' : (b?.sentAtSource ?? null),
    durationMs: send ? durationMs(send) : null,
    // A failure that a later attempt made good is not the hop's.
    error: send?.span.status === 'ERROR' || last?.span.status === 'ERROR' || nodes.some(isRejected),
    attempts: receiver ? 1 + retries.length : 0,
  }
  return { hop, send, receiver, retries }
}

/** When a receiver began; where only rounding puts that before the send, with it. */
function arrivalUnixNanos({ span: { startUnixNanos } }: Node, sentUnixNanos: bigint | null): bigint {
  if (sentUnixNanos === null || startUnixNanos >= sentUnixNanos) return startUnixNanos
  return sentUnixNanos - startUnixNanos <= roundingNanos ? sentUnixNanos : startUnixNanos
}

const isRejected = ({ meaning }: Node): boolean => meaning.outcome === 'reject'

function callHops(graph: Graph, isMessage: (client: Node) => boolean, clock: Clock): NodeHop[] {
  const hops: NodeHop[] = []
  for (const node of graph.nodes) {
    const { role, callTarget } = node.meaning
    const parent = graph.parent(node)
    if (role === 'client') {
      // The HTTP call that carries a message is that message's hop, not one more.
      if (isMessage(node) || (parent && isPublication(parent))) continue
      const servers = graph.children(node).filter(({ meaning }) => meaning.role === 'server')
      for (const server of servers) hops.push(callHop(node, server, clock))
      if (servers.length === 0 && callTarget !== null && isRemoteCall(node))
        hops.push(callHop(node, null, clock))
    }
    if (role === 'server' && node.span.parentSpanId !== null && !parent) hops.push(callHop(null, node, clock))
  }
  return hops
}

/** Brokers and databases are called by clients too; only what another service may answer is a hop. */
function isRemoteCall({ span, meaning }: Node): boolean {
  const isDatabase = span.attributes.has('db.system') || span.attributes.has('db.system.name')
  return !isDatabase && !span.attributes.has('messaging.system') && meaning.system !== null
}

function callHop(client: Node | null, server: Node | null, clock: Clock): NodeHop {
  const sentMs = client ? clock.ms(client.span.startUnixNanos) : null
  const processedMs = server ? clock.ms(arrivalUnixNanos(server, client?.span.startUnixNanos ?? null)) : null
  const isKnown = sentMs !== null && processedMs !== null
  const hop: JourneyHop = {
    index: 0,
    kind: 'call',
    transport: client?.meaning.system ?? server?.meaning.system ?? 'http',
    destination: server
      ? (server.meaning.destination ?? client?.meaning.destination ?? server.span.name)
      : (client?.meaning.callTarget ?? ''),
    destinationTemplate: server?.meaning.template ?? null,
    partition: null,
    offset: null,
    qos: null,
    from: client?.span.origin.service ?? null,
    to: server?.span.origin.service ?? null,
    send: client ? refOf(client) : null,
    process: server ? refOf(server) : null,
    sentMs,
    confirmedMs: client ? clock.ms(client.span.endUnixNanos) : null,
    processedMs,
    queueMs: isKnown ? processedMs - sentMs : null,
    queueSource: isKnown ? 'spans' : null,
    durationMs: client ? durationMs(client) : null,
    error: client?.span.status === 'ERROR' || server?.span.status === 'ERROR',
    attempts: server ? 1 : 0,
  }
  return { hop, send: client, receiver: server, retries: [] }
}

export const refOf = ({ span: { traceId, spanId } }: Node) => ({ traceId, spanId })
/** An end before the start, as a clock that was set back writes it, is a duration of 0. */
export const durationMs = ({ span }: Node): number =>
  Math.max(0, Number(span.endUnixNanos - span.startUnixNanos) / 1e6)
