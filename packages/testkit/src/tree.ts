import { type SpanContext, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { PlainAttributes, PlainSpan } from './otlp.ts'

/**
 * A span as a plain object for `assert.deepEqual` on whole trees. Random ids are replaced by what they mean: traces are
 * numbered from 1, a span is called by its name, `name#2` for the second of that name. What is empty is left out.
 */
export interface SpanNode {
  readonly name: string
  readonly kind: PlainSpan['kind']
  /** Number of its trace, in order of the traces' first spans. */
  readonly trace: number
  /** Parent's label, `<traceId>-<spanId>` of one that was not recorded, null for a root. */
  readonly parent: string | null
  readonly links?: readonly { readonly to: string; readonly attributes?: PlainAttributes }[]
  readonly attributes?: PlainAttributes
  /** Left out when unset. */
  readonly status?: { readonly code: 'OK' | 'ERROR'; readonly message?: string }
  readonly events?: readonly { readonly name: string; readonly attributes?: PlainAttributes }[]
  readonly children?: readonly SpanNode[]
}

/** What a tree of spans leaves out. */
export interface TreeOptions {
  /** Attributes left out on spans, links and events, by name; `exception.stacktrace` always is. */
  readonly omit?: readonly string[]
}

/**
 * Spans as a forest. Roots and children are in the order given: of their start, from a recorder; those that were received
 * over OTLP, which come in the order of their ends, are put into that order.
 */
export function tree(
  spans: readonly ReadableSpan[] | readonly PlainSpan[],
  { omit = [] }: TreeOptions = {},
): readonly SpanNode[] {
  const omitted = new Set([...omit, 'exception.stacktrace'])
  const leaves = spans.map(leafOf).sort(byStart)
  const labels = labelsOf(leaves)
  const traces = [...new Set(leaves.map(({ traceId }) => traceId))]
  const label = (id: string) => labels.get(id) ?? id

  const childrenOf = Map.groupBy(leaves, ({ parent }) =>
    parent !== null && labels.has(parent) ? parent : '',
  )
  const nodes = (parent: string): readonly SpanNode[] => (childrenOf.get(parent) ?? []).map(node)

  function node(leaf: Leaf): SpanNode {
    const links = leaf.links.map(({ to, attributes }) => ({
      to: label(to),
      ...attributesOf(attributes, omitted),
    }))
    const events = leaf.events.map(({ name, attributes }) => ({ name, ...attributesOf(attributes, omitted) }))
    const children = nodes(leaf.id)
    return {
      name: leaf.name,
      kind: leaf.kind,
      trace: traces.indexOf(leaf.traceId) + 1,
      parent: leaf.parent === null ? null : label(leaf.parent),
      ...(links.length === 0 ? {} : { links }),
      ...attributesOf(leaf.attributes, omitted),
      ...leaf.status,
      ...(events.length === 0 ? {} : { events }),
      ...(children.length === 0 ? {} : { children }),
    }
  }
  return nodes('')
}

/** A span wherever it comes from; ids are `<traceId>-<spanId>`. */
interface Leaf {
  readonly id: string
  readonly traceId: string
  readonly parent: string | null
  readonly name: string
  readonly kind: SpanNode['kind']
  readonly links: readonly { readonly to: string; readonly attributes: PlainAttributes | undefined }[]
  readonly attributes: PlainAttributes
  readonly status: Pick<SpanNode, 'status'>
  readonly events: readonly { readonly name: string; readonly attributes?: PlainAttributes | undefined }[]
  /** Undefined for one that is in its place already. */
  readonly startUnixNanos?: bigint
}

function leafOf(span: ReadableSpan | PlainSpan): Leaf {
  return 'traceId' in span ? received(span) : recorded(span)
}

function recorded(span: ReadableSpan): Leaf {
  const { name, kind, links, attributes, events, parentSpanContext, status } = span
  return {
    id: idOf(span.spanContext()),
    traceId: span.spanContext().traceId,
    parent: parentSpanContext === undefined ? null : idOf(parentSpanContext),
    name,
    kind: KINDS[kind],
    links: links.map((link) => ({ to: idOf(link.context), attributes: link.attributes })),
    attributes,
    status:
      status.code === SpanStatusCode.UNSET
        ? {}
        : statusOf(status.code === SpanStatusCode.OK ? 'OK' : 'ERROR', status.message),
    events,
  }
}

function received(span: PlainSpan): Leaf {
  const { traceId, parentSpanId, name, kind, links, attributes, events, status, startUnixNanos } = span
  return {
    id: idOf(span),
    traceId,
    parent: parentSpanId === '' ? null : idOf({ traceId, spanId: parentSpanId }),
    name,
    kind,
    links: links.map((link) => ({ to: idOf(link), attributes: link.attributes })),
    attributes,
    // An empty message and none are the same bytes.
    status: status.code === 'UNSET' ? {} : statusOf(status.code, status.message || undefined),
    events,
    startUnixNanos,
  }
}

function byStart(a: Leaf, b: Leaf): number {
  if (a.startUnixNanos === undefined || b.startUnixNanos === undefined) return 0
  return a.startUnixNanos < b.startUnixNanos ? -1 : Number(a.startUnixNanos > b.startUnixNanos)
}

function idOf({ traceId, spanId }: Pick<SpanContext, 'traceId' | 'spanId'>): string {
  return `${traceId}-${spanId}`
}

function labelsOf(leaves: readonly Leaf[]): ReadonlyMap<string, string> {
  const seen = new Map<string, number>()
  const labels = new Map<string, string>()
  for (const { id, name } of leaves) {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    labels.set(id, count === 1 ? name : `${name}#${count}`)
  }
  return labels
}

function attributesOf(
  attributes: PlainAttributes | undefined,
  omitted: ReadonlySet<string>,
): { readonly attributes?: PlainAttributes } {
  const kept = Object.entries(attributes ?? {}).filter(([name]) => !omitted.has(name))
  return kept.length === 0 ? {} : { attributes: Object.fromEntries(kept) }
}

function statusOf(code: 'OK' | 'ERROR', message: string | undefined): Pick<SpanNode, 'status'> {
  return { status: message === undefined ? { code } : { code, message } }
}

const KINDS = {
  [SpanKind.INTERNAL]: 'INTERNAL',
  [SpanKind.SERVER]: 'SERVER',
  [SpanKind.CLIENT]: 'CLIENT',
  [SpanKind.PRODUCER]: 'PRODUCER',
  [SpanKind.CONSUMER]: 'CONSUMER',
} as const
