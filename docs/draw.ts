import { type Attributes, type SpanContext, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'

/** Attributes that say why a span hangs where it does; the others are the same in every picture. */
const TOLD =
  /^(throughline\.(attempt|batch|delayed|invalid_context|missing_context|outcome)|app\.|messaging\.batch)/
const LINK_TOLD = /^(retry|replay|delayed|dead_letter|origin)$/
const GROUP = 'messaging.consumer.group.name'
/** Links and siblings up to this many are drawn one by one. */
const FEW = 4

/**
 * Spans that were recorded, as text: a tree a trace, a number on each span that others link to, `→ 1` for the link.
 *
 * @throws Error where a trace has two roots, because a reader would take them for two traces
 */
export function drawSpans(spans: readonly ReadableSpan[]): string {
  const byId = new Map(spans.map((span) => [idOf(span.spanContext()), span]))
  const children = Map.groupBy(spans, (span) => parentOf(span))
  const numbers = numbersOf(spans, byId)
  const roots = children.get(undefined) ?? []
  if (new Set(roots.map((root) => root.spanContext().traceId)).size < roots.length)
    throw new Error('a trace has two roots')
  const rows = alike(roots).flatMap((root) =>
    typeof root === 'number' ? drawn(root, '', '') : [[], ...drawn(root, '', '')],
  )
  const width = Math.max(...rows.map(([tree = '']) => tree.length))
  return rows
    .slice(1)
    .map(([tree = '', kind = '', ...told]) =>
      `${tree.padEnd(width)}  ${kind.padEnd(8)}  ${told.filter(Boolean).join('  ')}`.trimEnd(),
    )
    .join('\n')

  function parentOf({ parentSpanContext }: ReadableSpan): ReadableSpan | undefined {
    return parentSpanContext && byId.get(idOf(parentSpanContext))
  }

  /** Told only where it is what tells spans of one name apart. */
  function groupOf(span: ReadableSpan): string {
    const siblings = (children.get(parentOf(span)) ?? []).filter(({ name }) => name === span.name)
    const groups = new Set(siblings.map(({ attributes }) => attributes[GROUP]))
    return groups.size > 1 ? `${GROUP}=${span.attributes[GROUP]}` : ''
  }

  type Row = readonly string[]

  function drawn(item: ReadableSpan | number, branch: string, stem: string): readonly Row[] {
    if (typeof item === 'number') return [[`${branch}… and ${item} more like it`]]
    const number = numbers.get(item)
    const below = alike(children.get(item) ?? [])
    return [
      [
        `${branch}${item.name}${number === undefined ? '' : ` (${number})`}`,
        SpanKind[item.kind],
        linksOf(item),
        ...toldOf(item.attributes),
        groupOf(item),
        item.status.code === SpanStatusCode.ERROR ? 'status ERROR' : '',
        item.parentSpanContext && !parentOf(item) ? 'under a span of another process' : '',
      ],
      ...below.flatMap((child, index) => {
        const isLast = index === below.length - 1
        return drawn(child, `${stem}${isLast ? '└─ ' : '├─ '}`, `${stem}${isLast ? '   ' : '│  '}`)
      }),
    ]
  }

  /** Many of one shape in a row: the first and how many more. */
  function alike(siblings: readonly ReadableSpan[]): readonly (ReadableSpan | number)[] {
    const shapes = siblings.map(shapeOf)
    return siblings.flatMap((span, index) => {
      if (shapes[index - 1] === shapes[index]) return []
      const end = shapes.findIndex((shape, other) => other > index && shape !== shapes[index])
      const count = (end < 0 ? siblings.length : end) - index
      return count <= FEW ? siblings.slice(index, index + count) : [span, count - 1]
    })
  }

  function shapeOf(span: ReadableSpan): string {
    const below = (children.get(span) ?? []).map(shapeOf).join()
    return `${span.name} ${SpanKind[span.kind]} ${toldOf(span.attributes)} ${span.links.length} [${below}]`
  }

  function linksOf({ links }: ReadableSpan): string {
    const names = links.map(({ context }) => nameOf(context))
    if (links.length > FEW) return `→ ${links.length} × ${[...new Set(names)].join(', ')}`
    return links
      .map(({ attributes = {} }, index) => [`→ ${names[index]}`, ...toldOf(attributes, LINK_TOLD)].join(' '))
      .join('  ')
  }

  function nameOf(target: SpanContext): string {
    const span = byId.get(idOf(target))
    if (span === undefined) return 'a span of another process'
    const number = numbers.get(span)
    return number === undefined ? span.name : `${number}`
  }
}

/** A number for each span that another one links to by itself, in the order of their starts. */
function numbersOf(
  spans: readonly ReadableSpan[],
  byId: ReadonlyMap<string, ReadableSpan>,
): ReadonlyMap<ReadableSpan, number> {
  const targets = new Set(
    spans
      .filter(({ links }) => links.length <= FEW)
      .flatMap(({ links }) => links.map(({ context }) => byId.get(idOf(context)))),
  )
  const linked = spans.filter((span) => targets.has(span))
  return new Map(linked.map((span, index) => [span, index + 1]))
}

function toldOf(attributes: Attributes, told = TOLD): readonly string[] {
  return Object.entries(attributes)
    .filter(([name, value]) => told.test(name) && value !== 'accept')
    .map(([name, value]) => `${name}=${value}`)
}

const idOf = ({ traceId, spanId }: SpanContext): string => `${traceId}-${spanId}`
