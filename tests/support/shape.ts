import { type Journey, missingOf } from '@throughline/explorer'

type JourneySpan = Journey['spans'][number]
type JourneyHop = Journey['hops'][number]

/** What two journeys have in common however long they took and whatever their ids are: lines to be compared and read. */
export interface JourneyShape {
  readonly traces: number
  /** `kafka order → notification orders, 3 attempts`, sorted: what fans out goes in any order. */
  readonly hops: readonly string[]
  /** Each trace as a tree: `order PRODUCER send orders`, indented below its parent, with links by what they point to. */
  readonly spans: readonly string[]
  readonly missing: readonly string[]
}

/** A name that differs between the two, and what it is called in both. */
export type Names = Readonly<Record<string, string>>

export function shapeOf(journey: Journey, names: Names = {}): JourneyShape {
  const spansById = new Map(journey.spans.map((span) => [`${span.traceId} ${span.spanId}`, span]))
  const plainly = (text: string) =>
    Object.entries(names).reduce((named, [own, plain]) => named.replaceAll(own, plain), text)

  function label({ service, kind, name, attempt, batchSize, status, attributes }: JourneySpan): string {
    const parts = [`${service} ${kind} ${plainly(name)}`]
    if ((attempt ?? 1) > 1) parts.push(`attempt ${attempt}`)
    if (batchSize !== null) parts.push('batch')
    if (status === 'ERROR') parts.push('ERROR')
    const outcome = attributes['throughline.outcome']
    if (outcome !== undefined) parts.push(String(outcome))
    return parts.join(', ')
  }

  /** Of a batch's links those to messages of other journeys are left out. */
  function linksOf({ links }: JourneySpan): string[] {
    const texts = links.flatMap(({ traceId, spanId, attributes }) => {
      const target = spansById.get(`${traceId} ${spanId}`)
      if (target === undefined) return []
      const marks = ['retry', 'replay', 'dead_letter', 'origin'].filter((mark) => attributes[mark] === true)
      return [`  ⇢ ${[...marks, label(target)].join(' ')}`]
    })
    return texts.toSorted()
  }

  function tree(span: JourneySpan): string[] {
    const children = journey.spans
      .filter(({ traceId, parentSpanId }) => traceId === span.traceId && parentSpanId === span.spanId)
      .map((child) => tree(child).map((line) => `  ${line}`))
    return [label(span), ...linksOf(span), ...inOrder(children)]
  }

  function hop({ transport, from, to, destination, attempts, error, queueMs, process }: JourneyHop): string {
    const parts = [`${transport} ${from ?? 'nobody'} → ${to ?? 'nobody'} ${plainly(destination)}`]
    if (attempts !== 1) parts.push(`${attempts} attempts`)
    if (process !== null && spansById.get(`${process.traceId} ${process.spanId}`)?.batchSize)
      parts.push('batch')
    if (error) parts.push('failed')
    if (queueMs === null) parts.push('queue time unknown')
    return parts.join(', ')
  }

  const roots = journey.spans.filter(
    ({ traceId, parentSpanId }) => !spansById.has(`${traceId} ${parentSpanId}`),
  )
  return {
    traces: journey.traceIds.length,
    hops: journey.hops.map(hop).toSorted(),
    spans: inOrder(roots.map(tree)),
    missing: missingOf(journey).map(plainly),
  }
}

/** Trees one below the other, in an order that no run changes. */
const inOrder = (trees: readonly (readonly string[])[]): string[] =>
  trees.toSorted((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1)).flat()

/** The spans of a shape in two: the first one of this line with all that is below it, and the others. */
export function cut({ spans }: JourneyShape, line: string): { branch: string[]; others: string[] } {
  const depthOf = (text = '') => text.search(/\S/)
  const start = spans.findIndex((text) => text.trimStart() === line)
  const depth = depthOf(spans[start])
  const next = spans.findIndex((text, index) => index > start && depthOf(text) <= depth)
  const end = next === -1 ? spans.length : next
  return {
    branch: spans.slice(start, end).map((text) => text.slice(depth)),
    others: [...spans.slice(0, start), ...spans.slice(end)],
  }
}
