import type { Origin, Span } from '../otlp/span.ts'
import type { AnyValue, AttributeMap } from '../otlp/value.ts'
import { jsonOf } from '../otlp/value.ts'

/** Jaeger's v1 JSON (its UI's model). Times are microseconds. */
interface KeyValue {
  readonly key: string
  readonly type: 'string' | 'bool' | 'int64' | 'float64' | 'binary'
  readonly value: unknown
}
interface Reference {
  readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM'
  readonly traceID: string
  readonly spanID: string
}

/** The envelope of all of Jaeger's v1 answers. */
export const jaegerAnswer = (data: unknown, error?: { readonly code: number; readonly msg: string }) => ({
  data,
  total: 0,
  limit: 0,
  offset: 0,
  errors: error ? [error] : null,
})

/** One trace as `GET /api/traces/{traceID}` of Jaeger 2.20 answers it. */
export function jaegerTrace(traceId: string, spans: readonly Span[]) {
  const processes = new Map<string, { id: string; value: unknown }>()
  const processOf = (origin: Origin): string => {
    const value = { serviceName: origin.service, tags: tagsOf(origin.resource, ['service.name']) }
    const key = JSON.stringify(value)
    const known = processes.get(key) ?? { id: `p${processes.size + 1}`, value }
    processes.set(key, known)
    return known.id
  }
  const sorted = [...spans].sort((a, b) => Number(a.startUnixNanos - b.startUnixNanos))
  const jaegerSpans = sorted.map((span) => ({
    traceID: span.traceId,
    spanID: span.spanId,
    operationName: span.name,
    references: referencesOf(span),
    startTime: micros(span.startUnixNanos),
    duration: Math.max(0, micros(span.endUnixNanos - span.startUnixNanos)),
    tags: spanTags(span),
    logs: span.events.map(({ name, unixNanos, attributes }) => ({
      timestamp: micros(unixNanos),
      fields: [text('event', name), ...tagsOf(attributes)],
    })),
    processID: processOf(span.origin),
    warnings: null,
  }))
  return {
    traceID: traceId,
    spans: jaegerSpans,
    processes: Object.fromEntries([...processes.values()].map(({ id, value }) => [id, value])),
    warnings: null,
  }
}

const micros = (nanos: bigint): number => Number(nanos / 1_000n)
const text = (key: string, value: string): KeyValue => ({ key, type: 'string', value })

/** The parent is CHILD_OF, unless a link names it too: then that link stands for both. */
function referencesOf(span: Span): Reference[] {
  const links = span.links.map(({ traceId, spanId, attributes }): Reference => {
    const refType = attributes.get('opentracing.ref_type')
    const isChild = refType?.type === 'string' && refType.value === 'child_of'
    return { refType: isChild ? 'CHILD_OF' : 'FOLLOWS_FROM', traceID: traceId, spanID: spanId }
  })
  const { traceId, parentSpanId } = span
  if (parentSpanId === null || links.some((link) => link.traceID === traceId && link.spanID === parentSpanId))
    return links
  return [{ refType: 'CHILD_OF', traceID: traceId, spanID: parentSpanId }, ...links]
}

function spanTags(span: Span): KeyValue[] {
  const { name, version } = span.origin.scope
  const tags: KeyValue[] = []
  if (name) tags.push(text('otel.scope.name', name))
  if (version) tags.push(text('otel.scope.version', version))
  tags.push(...tagsOf(span.attributes), text('span.kind', span.kind.toLowerCase()))
  if (span.status !== 'UNSET') tags.push(text('otel.status_code', span.status))
  if (span.status === 'ERROR') tags.push({ key: 'error', type: 'bool', value: true })
  if (span.statusMessage) tags.push(text('otel.status_description', span.statusMessage))
  if (span.traceState) tags.push(text('w3c.tracestate', span.traceState))
  return tags
}

function tagsOf(attributes: AttributeMap, without: readonly string[] = []): KeyValue[] {
  return [...attributes]
    .filter(([key]) => !without.includes(key))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => tagOf(key, value))
}

function tagOf(key: string, value: AnyValue): KeyValue {
  switch (value.type) {
    case 'bool':
      return { key, type: 'bool', value: value.value }
    case 'int':
      return { key, type: 'int64', value: jsonOf(value) }
    case 'double':
      return { key, type: 'float64', value: jsonOf(value) }
    case 'bytes':
      return { key, type: 'binary', value: jsonOf(value) }
    case 'string':
      return text(key, value.value)
    case 'empty':
      return text(key, '')
    default:
      return text(key, JSON.stringify(jsonOf(value)))
  }
}
