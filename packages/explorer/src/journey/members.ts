import { textOf } from '../otlp/value.ts'
import type { EventKey, SpanStore } from '../store/store.ts'
import { isBatch, isConsumption, isPublication, isSameEvent, type Node, nodeOf } from './node.ts'
import type { TraceView } from './trace-view.ts'

const maxMembers = 2_000

/**
 * Which spans of one trace belong to a journey.
 *
 * A trace is more than one event: a job publishes thousands, a poll returns hundreds. From the spans through
 * which the journey came in (`entries`) all that they caused belongs to it, all their ancestors, and what else
 * is in the trace, but for the spans of *other* messages: those that link elsewhere, and those of another event
 * that our event did not cause.
 *
 * @param reached whether a span of another trace is already in the journey
 * @returns nearest to the entries first; `isOurs` says that a span is an entry or was caused by one
 */
export function membersOf(
  trace: TraceView,
  entries: readonly Node[],
  focus: EventKey | null,
  reached: (id: string) => boolean,
  store: SpanStore,
): { node: Node; isOurs: boolean }[] {
  const members = new Map<string, Node>()
  const isIn = (node: Node) => members.has(node.id)
  const skipped: EventKey[] = []
  const ancestors: Node[] = []
  const memberEvents = new Map<string, readonly EventKey[]>()

  const isOther = (event: EventKey | null): boolean =>
    event !== null && focus !== null && !isSameEvent(event, focus)

  function linksElsewhere({ span, meaning }: Node): boolean {
    const away = span.links.filter((link) => link.traceId !== span.traceId)
    const isOurs = meaning.event !== null && focus !== null && isSameEvent(meaning.event, focus)
    return away.length > 0 && !isOurs && !away.some((link) => reached(`${link.traceId}${link.spanId}`))
  }

  /** Events of the messages that a batch span took, from its links' attributes or the spans they point to. */
  function eventsOfBatch(batch: Node): readonly EventKey[] {
    const known = memberEvents.get(batch.id)
    if (known) return known
    const events = batch.span.links.slice(0, maxMembers).flatMap((link): EventKey[] => {
      const id = textOf(link.attributes.get('cloudevents.event_id'))
      if (id !== undefined)
        return [{ id, source: textOf(link.attributes.get('cloudevents.event_source')) ?? null }]
      const event = store.bySpan(link.spanId, link.traceId, 1).map(nodeOf)[0]?.meaning.event
      return event ? [event] : []
    })
    memberEvents.set(batch.id, events)
    return events
  }

  /** Whether a span is about another message than ours. `cause` is its parent where that one is of our event. */
  function isForeign(node: Node, cause: Node | null): boolean {
    const { event } = node.meaning
    if (cause !== null && !isBatch(cause) && cause.meaning.role !== 'receive') return false
    if (isConsumption(node) && linksElsewhere(node)) return true
    if (!isOther(event) || !(isConsumption(node) || isPublication(node))) return false
    return (
      cause === null || (event !== null && eventsOfBatch(cause).some((other) => isSameEvent(other, event)))
    )
  }

  function take(start: readonly Node[], areCauses: boolean): void {
    const queue = start.map((node) => ({ node, isCause: areCauses }))
    for (let i = 0; i < queue.length; i++) {
      const at = queue[i]
      if (!at) break
      members.set(at.node.id, at.node)
      for (const child of trace.children(at.node)) {
        if (isIn(child)) continue
        if (isForeign(child, at.isCause ? at.node : null)) {
          if (child.meaning.event) skipped.push(child.meaning.event)
          continue
        }
        members.set(child.id, child)
        queue.push({ node: child, isCause: at.isCause })
      }
    }
  }

  take(entries, true)
  const ours = new Set(members.keys())
  for (const entry of entries) {
    for (let up = trace.parent(entry); up && !isIn(up); up = trace.parent(up)) {
      members.set(up.id, up)
      ancestors.push(up)
    }
  }
  take(ancestors, false)
  for (const node of trace.nodes) {
    if (!isIn(node) && isLoose(node)) take([node], false)
  }
  return [...members.keys()].flatMap((id) => trace.withId(id).map((node) => ({ node, isOurs: ours.has(id) })))

  /** Whether nothing leads to a span: a root, one whose parent is not here, or one that is its own ancestor. */
  function isLoose(node: Node): boolean {
    const parent = trace.parent(node)
    if (!parent) {
      const { event } = node.meaning
      // Below a span that was not received, another event may well be one that ours caused.
      const isAstray =
        node.span.parentSpanId !== null && !skipped.some((other) => event && isSameEvent(other, event))
      return isAstray ? !(isConsumption(node) && linksElsewhere(node)) : !isForeign(node, null)
    }
    const seen = new Set<string>()
    let up: Node | undefined = parent
    while (up && !isIn(up) && !seen.has(up.id)) {
      if (up.id === node.id) return true
      seen.add(up.id)
      up = trace.parent(up)
    }
    return false
  }
}
