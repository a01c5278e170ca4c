import { isTrue } from '../otlp/value.ts'
import { positionOf } from './destination.ts'
import type { Graph } from './graph.ts'
import { isBatch, isConsumption, isPublication, type Node } from './node.ts'
import type { Meaning } from './semantics.ts'

/** One message that one consumer got: from its send (null: not known) to its process (null: nobody was seen). */
export interface Delivery {
  /** Also the HTTP request of a client that knows of no messages, and made one. */
  readonly send: Node | null
  readonly receiver: Node | null
  /** Processes of later attempts, in order. */
  readonly retries: Node[]
}

const maxDetours = 3
/** Deliveries of one message to one consumer among which the one is sought that is tried again. */
const maxParallel = 8

/**
 * Pairs sends with processes. One pair a message and consumer, whichever way the two are tied: as parent and
 * child, by a link, by both, over a receive span between them, or over an HTTP server span.
 */
export function deliveriesOf(graph: Graph): Delivery[] {
  const deliveries: Delivery[] = []
  const byConsumer = new Map<string, Delivery[]>()
  const covered = new Set<string>()
  const consumerOf = (node: Node) => `${node.span.origin.service}\t${node.meaning.group ?? ''}`
  const cover = (send: Node, receiver: Node) => covered.add(`${send.id}\t${receiver.span.origin.service}`)
  const isCovered = (send: Node, receiver: Node) => covered.has(`${send.id}\t${receiver.span.origin.service}`)
  const delivered = new Set<string>()

  function deliver(send: Node | null, receiver: Node): void {
    const message = send?.id ?? messageOf(receiver)
    const key = `${message}\t${consumerOf(receiver)}`
    const same = byConsumer.get(key) ?? []
    const earlier = same.findLast(
      (one) => one.receiver && isRetry(graph, one.retries.at(-1) ?? one.receiver, receiver),
    )
    if (earlier) earlier.retries.push(receiver)
    else {
      const delivery = { send, receiver, retries: [] }
      deliveries.push(delivery)
      // Only the latest are looked at: one message with thousands of receivers must not cost millions of steps.
      if (message !== null) byConsumer.set(key, [...same.slice(-maxParallel), delivery])
    }
    if (send) {
      cover(send, receiver)
      delivered.add(send.id)
    }
  }

  for (const node of graph.nodes) {
    if (node.meaning.role !== 'process') continue
    const sends = sendsOf(graph, node)
    for (const send of sends) deliver(send, node)
    if (sends.length === 0 && !isNested(graph, node)) deliver(callerOf(graph, node), node)
  }

  const receives = graph.nodes
    .filter(({ meaning }) => meaning.role === 'receive')
    .map((node) => ({ node, sends: sendsOf(graph, node), isDirect: isPublished(graph.parent(node)) }))
  // The one below the send is the message's own; those of polls round it say the same once more.
  for (const { node, sends } of [
    ...receives.filter((r) => r.isDirect),
    ...receives.filter((r) => !r.isDirect),
  ]) {
    for (const send of sends) if (!isCovered(send, node)) deliver(send, node)
    const leads = [...graph.children(node), ...graph.referrers(node).map((referrer) => referrer.node)]
    if (
      sends.length === 0 &&
      !leads.some(isConsumption) &&
      !isNested(graph, node) &&
      node.span.links.length === 0
    )
      deliver(null, node)
  }

  for (const send of graph.nodes) {
    if (!isPublication(send) || delivered.has(send.id) || isWrapper(graph, send)) continue
    if (send.meaning.role === 'create' && graph.sendsWith(send).length > 0) continue
    const servers = serversBelow(graph, send)
    for (const server of servers) deliver(send, server)
    if (servers.length === 0 && !isSendOfCreates(graph, send))
      deliveries.push({ send, receiver: null, retries: [] })
  }
  return deliveries
}

const isPublished = (node: Node | undefined): boolean => node !== undefined && isPublication(node)

/** The sends whose message a span consumed. */
function sendsOf(graph: Graph, node: Node, detours = 0): Node[] {
  if (detours > maxDetours) return []
  const above = sendAbove(graph, node)
  // Neither the attempt before nor the place where the event was created sent this message.
  const linked = graph
    .targets(node)
    .filter(({ link }) => !isTrue(link.attributes.get('retry')) && !isTrue(link.attributes.get('origin')))
  const direct = linked.flatMap(({ node: context, link }) => {
    // Of a batch each link says where its message was.
    const place = isBatch(node) ? positionOf(link.attributes, node.meaning.system) : node.meaning
    const send = sendWith(graph, context, node, place)
    return send === undefined ? [] : [{ send, isReplay: isTrue(link.attributes.get('replay')) }]
  })
  const found = direct.filter(({ isReplay }) => !above || isBatch(node) || isReplay).map(({ send }) => send)
  if (above && (!isBatch(node) || found.length === 0)) found.unshift(above)
  if (found.length === 0) {
    const parent = graph.parent(node)
    const between = linked.map((target) => target.node).filter(isConsumption)
    if (parent?.meaning.role === 'receive') between.push(parent)
    found.push(...between.flatMap((receive) => sendsOf(graph, receive, detours + 1)))
  } else if (isBatch(node)) {
    const parts = linked.map((target) => target.node).filter(({ meaning }) => meaning.role === 'receive')
    found.push(...parts.flatMap((part) => sendsOf(graph, part, detours + 1)))
  }
  return [...new Set(found)]
}

/** The send that is a span's parent, also with the spans of an HTTP client and server between them. */
function sendAbove(graph: Graph, node: Node): Node | undefined {
  let above = graph.parent(node)
  for (
    let i = 0;
    above && i < maxDetours && (above.meaning.role === 'server' || above.meaning.role === 'client');
    i++
  )
    above = graph.parent(above)
  return above && sendWith(graph, above, node, node.meaning)
}

/** The HTTP request that was a message to whoever processed it, and a plain call to the client that made it. */
function callerOf(graph: Graph, node: Node): Node | null {
  if (node.meaning.system !== 'http') return null
  const parent = graph.parent(node)
  const above = parent?.meaning.role === 'server' ? graph.parent(parent) : parent
  const linked = graph.targets(node).filter(({ link }) => !isTrue(link.attributes.get('origin')))
  const isCaller = ({ meaning: { role, system } }: Node) => role === 'client' && system === 'http'
  return [above, ...linked.map((target) => target.node)].find((one) => one && isCaller(one)) ?? null
}

/** An event's origin context is linked too: it points to a send, of another message, over another transport or topic. */
function isPairable(send: Node, receiver: Node): boolean {
  const [a, b] = [send.meaning, receiver.meaning]
  if (a.system !== null && b.system !== null && a.system !== b.system) return false
  // Names of the two sides are the same thing only for Kafka and MQTT; for MQTT the receiver's may be a filter.
  if (a.system !== 'kafka' && a.system !== 'mqtt') return true
  if (a.destination === null || b.destination === null || /[#+]/.test(b.destination)) return true
  return a.destination === b.destination || (a.template === b.template && a.template !== null)
}

/**
 * The send of the message that a span received with the context of another one. Batch publishing: that of its `create`, and
 * the time is that of the `send` that links to it. A message may also be sent once more with the context that it had, by a
 * replay or a mirror that copies its headers: where it was written tells it from the first.
 */
function sendWith(graph: Graph, context: Node, receiver: Node, place: Place): Node | undefined {
  if (!isPublication(context)) return undefined
  const linked = graph.sendsWith(context)
  const candidates = context.meaning.role === 'create' ? [...linked, context] : [context, ...linked]
  const sends = candidates.filter((send) => isPairable(send, receiver))
  return sends.find(({ meaning }) => isAt(meaning, place)) ?? sends[0]
}

type Place = Pick<Meaning, 'partition' | 'offset'>

const isAt = (meaning: Meaning, { partition, offset }: Place): boolean =>
  offset !== null && meaning.offset === offset && meaning.partition === partition

const isSendOfCreates = (graph: Graph, send: Node): boolean =>
  graph.targets(send).some(({ node }) => node.meaning.role === 'create')

/** Some clients are instrumented in two layers: the outer send has an inner one of the same message. */
function isWrapper(graph: Graph, send: Node): boolean {
  if (send.meaning.role !== 'send') return false
  return graph
    .children(send)
    .some(
      ({ meaning, span }) =>
        meaning.role === 'send' &&
        meaning.system === send.meaning.system &&
        meaning.destination === send.meaning.destination &&
        span.origin.service === send.span.origin.service,
    )
}

/** A span inside the one that consumed the message, of the same service. */
function isNested(graph: Graph, node: Node): boolean {
  const parent = graph.parent(node)
  return (
    parent !== undefined && isConsumption(parent) && parent.span.origin.service === node.span.origin.service
  )
}

function serversBelow(graph: Graph, send: Node): Node[] {
  const below = graph
    .children(send)
    .flatMap((child) => (child.meaning.role === 'client' ? graph.children(child) : [child]))
  return below.filter(({ meaning }) => meaning.role === 'server')
}

/** What a message without a known send is told by: its event, else its position; null where it has neither. */
function messageOf({ meaning }: Node): string | null {
  const { system, destination, event, partition, offset } = meaning
  if (event) return `${system} ${destination} ${event.source} ${event.id}`
  return offset === null ? null : `${system} ${destination} ${partition} ${offset}`
}

/** A later attempt at the same delivery: it says so, or it begins after the one before had failed. */
export function isRetry(graph: Graph, before: Node, after: Node): boolean {
  if (
    graph
      .targets(after)
      .some(({ node, link }) => node.id === before.id && isTrue(link.attributes.get('retry')))
  )
    return true
  if (graph.targets(after).some(({ link }) => isTrue(link.attributes.get('replay')))) return false
  const isLater = after.span.startUnixNanos >= before.span.endUnixNanos
  return (
    isLater &&
    ((after.meaning.attempt ?? 1) > (before.meaning.attempt ?? 1) || before.span.status === 'ERROR')
  )
}
