import { context, propagation, type TextMapPropagator, type TracerProvider, trace } from '@opentelemetry/api'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  type ReadableSpan,
  type Sampler,
  TracerProvider as SdkTracerProvider,
  type SpanLimits,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace'
import { StrictContextManager } from './context.ts'
import { type SpanNode, type TreeOptions, tree } from './tree.ts'

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

/** How spans are recorded. */
export interface RecordOptions {
  /** Default true: installs provider, context manager and propagator as the process's globals, once. */
  readonly global?: boolean
  /** Limits of the SDK, e.g. `{ linkCountLimit: 128 }`, its default. Only without `global`, whose provider is shared. */
  readonly spanLimits?: SpanLimits
  /** Which spans are recorded. Default: those without a parent, and those whose parent is. Only without `global`, as well. */
  readonly sampler?: Sampler
}

let installed: SpanRecorder | undefined

/**
 * A recorder of spans. The global one (default) is the same for the whole process, because tracers that code has taken
 * from the API keep to the first provider; call `reset()` between tests, or use `withSpans`.
 * Throws when other code has installed globals before.
 */
export function recordSpans({ global = true, ...limits }: RecordOptions = {}): SpanRecorder {
  if (!global) return createRecorder(new StrictContextManager(), limits)
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

function createRecorder(
  contexts: StrictContextManager,
  { spanLimits, sampler }: Omit<RecordOptions, 'global'> = {},
): SpanRecorder {
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
    ...(sampler === undefined ? {} : { sampler }),
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
