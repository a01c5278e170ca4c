import {
  type Attributes,
  context,
  propagation,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  type ReadableSpan,
  TracerProvider as SdkTracerProvider,
  type SpanLimits,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace'
import { StrictContextManager } from './context.ts'

/** Spans that a test's code made, through the real SDK. */
export interface SpanRecorder {
  readonly tracerProvider: TracerProvider
  /** W3C trace context and baggage. */
  readonly propagator: TextMapPropagator
  /** Ended spans, in the order in which they were started. */
  finished(): readonly ReadableSpan[]
  /** Ended spans of this name, in the order in which they were started. */
  named(name: string): readonly ReadableSpan[]
  /** Ended spans as a forest of plain objects. */
  tree(options?: TreeOptions): readonly SpanNode[]
  /** Throws, naming them, when a span has not been ended or a context is still active. */
  assertNoLeaks(): void
  /** Forgets all spans, open ones too. */
  reset(): void
}

/**
 * A span as a plain object for `assert.deepEqual` on whole trees. Random ids are replaced by what they mean: traces are
 * numbered from 1, a span is called by its name, `name#2` for the second of that name. What is empty is left out.
 */
export interface SpanNode {
  readonly name: string
  readonly kind: keyof typeof SpanKind
  /** Number of its trace, in order of the traces' first spans. */
  readonly trace: number
  /** Parent's label, `<traceId>-<spanId>` of one that was not recorded, null for a root. */
  readonly parent: string | null
  readonly links?: readonly { readonly to: string; readonly attributes?: Attributes }[]
  readonly attributes?: Attributes
  /** Left out when unset. */
  readonly status?: { readonly code: 'OK' | 'ERROR'; readonly message?: string }
  readonly events?: readonly { readonly name: string; readonly attributes?: Attributes }[]
  readonly children?: readonly SpanNode[]
}

/** What a tree of spans leaves out. */
export interface TreeOptions {
  /** Attributes left out on spans, links and events, by name; `exception.stacktrace` always is. */
  readonly omit?: readonly string[]
}

/** How spans are recorded. */
export interface RecordOptions {
  /** Default true: installs provider, context manager and propagator as the process's globals, once. */
  readonly global?: boolean
  /** Limits of the SDK, e.g. `{ linkCountLimit: 128 }`, its default. Only without `global`, whose provider is shared. */
  readonly spanLimits?: SpanLimits
}

let installed: SpanRecorder | undefined

/**
 * A recorder of spans. The global one (default) is the same for the whole process, because tracers that code has taken
 * from the API keep to the first provider; call `reset()` between tests, or use `withSpans`.
 * Throws when other code has installed globals before.
 */
export function recordSpans({ global = true, spanLimits }: RecordOptions = {}): SpanRecorder {
  if (!global) return createRecorder(new StrictContextManager(), spanLimits)
  if (installed !== undefined) return installed
  const contexts = new StrictContextManager()
  const recorder = createRecorder(contexts)
  if (
    !context.setGlobalContextManager(contexts.enable()) ||
    !trace.setGlobalTracerProvider(recorder.tracerProvider) ||
    !propagation.setGlobalPropagator(recorder.propagator)
  ) {
    throw new Error(
      'OpenTelemetry globals are already set; record spans before anything else registers an SDK',
    )
  }
  installed = recorder
  return recorder
}

/**
 * Runs a test with the global recorder, emptied. Fails it when it leaves a span open or a context active.
 * Tests of one process that use it must not overlap.
 */
export async function withSpans<Result>(
  run: (spans: SpanRecorder) => Result | Promise<Result>,
): Promise<Result> {
  const spans = recordSpans()
  spans.reset()
  const result = await run(spans)
  // Lets continuations of what has settled already run before looking.
  await new Promise((resolve) => setImmediate(resolve))
  spans.assertNoLeaks()
  return result
}

function createRecorder(contexts: StrictContextManager, spanLimits?: SpanLimits): SpanRecorder {
  let started: ReadableSpan[] = []
  const processor: SpanProcessor = {
    onStart: (span) => void started.push(span),
    onEnd: () => {},
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const tracerProvider = new SdkTracerProvider({
    spanProcessors: [processor],
    ...(spanLimits === undefined ? {} : { spanLimits }),
  })
  const finished = () => started.filter((span) => span.ended)
  return {
    tracerProvider,
    propagator: new CompositePropagator({
      propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
    }),
    finished,
    named: (name) => finished().filter((span) => span.name === name),
    tree: (options) => tree(finished(), options),
    assertNoLeaks() {
      const open = started.filter((span) => !span.ended).map((span) => `span not ended: ${span.name}`)
      const leaks = [...open, ...contexts.leaks()]
      if (leaks.length > 0) throw new Error(`the test leaks\n  ${leaks.join('\n  ')}`)
    },
    reset() {
      started = []
      contexts.reset()
    },
  }
}

/** Spans as a forest, roots and children in the order given (of their start, from a recorder). */
export function tree(spans: readonly ReadableSpan[], { omit = [] }: TreeOptions = {}): readonly SpanNode[] {
  const omitted = new Set([...omit, 'exception.stacktrace'])
  const labels = labelsOf(spans)
  const traces = [...new Set(spans.map((span) => span.spanContext().traceId))]
  const label = (target: SpanContext) => labels.get(idOf(target)) ?? idOf(target)

  const childrenOf = Map.groupBy(spans, ({ parentSpanContext }) =>
    parentSpanContext !== undefined && labels.has(idOf(parentSpanContext)) ? idOf(parentSpanContext) : '',
  )
  const nodes = (parentId: string): readonly SpanNode[] => (childrenOf.get(parentId) ?? []).map(node)

  function node(span: ReadableSpan): SpanNode {
    const links = span.links.map((link) => ({
      to: label(link.context),
      ...attributesOf(link.attributes, omitted),
    }))
    const events = span.events.map((event) => ({
      name: event.name,
      ...attributesOf(event.attributes, omitted),
    }))
    const children = nodes(idOf(span.spanContext()))
    return {
      name: span.name,
      kind: kindOf(span.kind),
      trace: traces.indexOf(span.spanContext().traceId) + 1,
      parent: span.parentSpanContext === undefined ? null : label(span.parentSpanContext),
      ...(links.length === 0 ? {} : { links }),
      ...attributesOf(span.attributes, omitted),
      ...statusOf(span),
      ...(events.length === 0 ? {} : { events }),
      ...(children.length === 0 ? {} : { children }),
    }
  }
  return nodes('')
}

function idOf({ traceId, spanId }: SpanContext): string {
  return `${traceId}-${spanId}`
}

function labelsOf(spans: readonly ReadableSpan[]): ReadonlyMap<string, string> {
  const seen = new Map<string, number>()
  const labels = new Map<string, string>()
  for (const span of spans) {
    const count = (seen.get(span.name) ?? 0) + 1
    seen.set(span.name, count)
    labels.set(idOf(span.spanContext()), count === 1 ? span.name : `${span.name}#${count}`)
  }
  return labels
}

function attributesOf(
  attributes: Attributes | undefined,
  omitted: ReadonlySet<string>,
): { readonly attributes?: Attributes } {
  const kept = Object.entries(attributes ?? {}).filter(([name]) => !omitted.has(name))
  return kept.length === 0 ? {} : { attributes: Object.fromEntries(kept) }
}

function statusOf({ status }: ReadableSpan): Pick<SpanNode, 'status'> {
  if (status.code === SpanStatusCode.UNSET) return {}
  const code = status.code === SpanStatusCode.OK ? 'OK' : 'ERROR'
  return { status: status.message === undefined ? { code } : { code, message: status.message } }
}

const KINDS = {
  [SpanKind.INTERNAL]: 'INTERNAL',
  [SpanKind.SERVER]: 'SERVER',
  [SpanKind.CLIENT]: 'CLIENT',
  [SpanKind.PRODUCER]: 'PRODUCER',
  [SpanKind.CONSUMER]: 'CONSUMER',
} as const

function kindOf(kind: SpanKind): keyof typeof SpanKind {
  return KINDS[kind]
}
