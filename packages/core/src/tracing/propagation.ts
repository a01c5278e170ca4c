import {
  context as activeContext,
  type Context,
  createContextKey,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import type { Header } from '../message.ts'
import { type ArrivedHeaders, joined, readHeaders } from './arrived.ts'
import { layered, ROOT_LAYER } from './layer.ts'
import { isPropagatorSet, isW3cPropagator } from './propagator.ts'
import { parseTraceparent, RANDOM_FLAG, traceparentOf } from './traceparent.ts'
import { withSpan } from './tracer.ts'
import { parseTraceState } from './tracestate.ts'

/** What of the context a publisher sends on: all, all but baggage, or nothing. */
export type Propagate = 'all' | 'trace' | 'none'

/** The context that a message arrived with. */
export interface HopContext {
  /** The root context with what the propagator found: remote span and baggage. */
  readonly context: Context
  /** The span that sent the message; undefined: none, or an invalid one. */
  readonly spanContext: SpanContext | undefined
  /** A `traceparent` that was there and is not valid, cut to 64 characters. */
  readonly invalid: string | undefined
}

const MAX_INVALID = 64

/** Trace id of a trace that arrived with the random flag. */
const RANDOM_TRACE = createContextKey('throughline random trace id')

/** Under it propagators write nothing: the SDK's own key, by its public name. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

const W3C_HEADERS: ReadonlySet<string> = new Set(['traceparent', 'tracestate', 'baggage'])
const BAGGAGE_HEADER: ReadonlySet<string> = new Set(['baggage'])
const NO_HEADERS: ReadonlySet<string> = new Set()

/** What is sent where no propagator is set. */
const NOTHING: InjectedContext = { headers: [], replaces: NO_HEADERS }
const NOTHING_BUT_BAGGAGE_GONE: InjectedContext = { headers: [], replaces: BAGGAGE_HEADER }

const setter: TextMapSetter<[string, string][]> = {
  set(carrier, name, value) {
    carrier.push([name.toLowerCase(), value])
  },
}

/** Headers as the propagator is to see them: those of W3C only where they are valid, and one value each. */
interface Arrived {
  readonly headers: readonly Header[]
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

const getter: TextMapGetter<Arrived> = {
  keys: ({ headers }) => headers.map(([name]) => name),
  get({ headers, traceparent, tracestate }, wanted) {
    const name = wanted.toLowerCase()
    if (name === 'traceparent') return traceparent
    if (name === 'tracestate') return tracestate
    let text: string | undefined
    for (const [header, value] of headers) {
      if (header.length === name.length && header.toLowerCase() === name) text = joined(text, value)
    }
    return text
  },
}

/** Names that carry a hop context: W3C's, and those of the propagators that the application has set. */
export function isContextHeader(name: string): boolean {
  return contextHeaderNames().has(name.toLowerCase())
}

function contextHeaderNames(): ReadonlySet<string> {
  if (isW3cPropagator()) return W3C_HEADERS
  return new Set([...W3C_HEADERS, ...propagation.fields().map((field) => field.toLowerCase())])
}

/** What a context is sent as. */
export interface InjectedContext {
  readonly headers: readonly Header[]
  /** Names, in lower case, of the headers that it takes the place of. */
  readonly replaces: ReadonlySet<string>
}

/**
 * The headers that carry the context of `context`'s span, and those they replace: a message carries exactly one
 * `traceparent`, `tracestate` and `baggage`. Where the context has no span (no SDK), a context that a message already
 * carries stays, so that the chain is not cut by a service without one.
 */
export function injectedContext(context: Context, propagate: Propagate): InjectedContext {
  return injectedSpan(context, trace.getSpan(context), propagate)
}

/** The same of a span that was started under `parent`: most of them need no context of their own for it. */
export function injectedSpan(parent: Context, span: Span | undefined, propagate: Propagate): InjectedContext {
  if (propagate === 'none') return { headers: [], replaces: contextHeaderNames() }
  if (!isPropagatorSet()) return propagate === 'all' ? NOTHING : NOTHING_BUT_BAGGAGE_GONE
  const own = span !== undefined && isW3cPropagator() ? w3cHeaders(parent, span, propagate) : undefined
  if (own !== undefined) return { headers: own, replaces: W3C_HEADERS }
  const context = span === undefined ? parent : withSpan(parent, span)
  const headers: [string, string][] = []
  propagation.inject(propagate === 'trace' ? propagation.deleteBaggage(context) : context, headers, setter)
  for (const header of headers) {
    if (header[0] === 'traceparent') header[1] = withRandomFlag(header[1], context)
  }
  if (headers.some(([name]) => name !== 'baggage')) return { headers, replaces: contextHeaderNames() }
  const replacesBaggage = headers.length > 0 || propagate === 'trace'
  return { headers, replaces: replacesBaggage ? BAGGAGE_HEADER : NO_HEADERS }
}

/** What OpenTelemetry's own propagators write of a valid span without baggage; undefined for all others. */
function w3cHeaders(context: Context, span: Span, propagate: Propagate): Header[] | undefined {
  const spanContext = span.spanContext()
  if (!isSpanContextValid(spanContext)) return undefined
  if (context.getValue(SUPPRESS_TRACING) === true) return undefined
  if (propagate === 'all' && propagation.getBaggage(context) !== undefined) return undefined
  const random = context.getValue(RANDOM_TRACE) === spanContext.traceId
  const headers: Header[] = [['traceparent', traceparentOf(spanContext, random ? RANDOM_FLAG : 0)]]
  if (spanContext.traceState !== undefined) headers.push(['tracestate', spanContext.traceState.serialize()])
  return headers
}

/** The headers with the context in place of any that was there (`injectedContext`). The array given is not changed. */
export function injectContext(context: Context, headers: readonly Header[], propagate: Propagate): Header[] {
  const injected = injectedContext(context, propagate)
  return [...headers.filter(([name]) => !injected.replaces.has(name.toLowerCase())), ...injected.headers]
}

/**
 * Headers of the context that is active now: for a message that is handed over now and published later by somebody else,
 * as an MQTT broker publishes a will. What a publisher sends has the context of its send span instead.
 */
export function activeContextHeaders(): Header[] {
  return injectContext(activeContext.active(), [], 'all')
}

/** SDKs start child spans without the flag, which would tell the next service that the trace id is not random. */
function withRandomFlag(traceparent: string, context: Context): string {
  const random = context.getValue(RANDOM_TRACE)
  const written = random === undefined ? undefined : parseTraceparent(traceparent)
  if (written === undefined || written.traceId !== random) return traceparent
  return traceparentOf(written, RANDOM_FLAG)
}

/**
 * Reads the hop context of one message, by the application's propagator. Never throws.
 * W3C's headers reach it only where they are valid by the letter of Trace Context level 2: the usual propagators take
 * a part of two `traceparent`, and carry on members of a `tracestate` that has others which are not valid.
 */
export function extractContext(headers: readonly Header[]): HopContext {
  return arrivedContext(headers, readHeaders(headers))
}

/** The same for whoever has read the headers already. */
export function arrivedContext(headers: readonly Header[], arrived: ArrivedHeaders): HopContext {
  const text = arrived.traceparent === undefined ? undefined : withoutSpace(arrived.traceparent)
  const parsed = withState(parseTraceparent(text), arrived.tracestate)
  if (arrived.baggage === undefined && isW3cPropagator()) {
    return parsed === undefined ? none(ROOT_LAYER, text) : found(ROOT_LAYER, parsed)
  }
  const extracted = propagation.extract(
    ROOT_CONTEXT,
    {
      headers,
      traceparent: parsed && traceparentOf(parsed),
      tracestate: parsed?.traceState?.serialize(),
    },
    getter,
  )
  const context = layered(extracted)
  const spanContext = trace.getSpanContext(context)
  if (spanContext === undefined) return none(context, parsed === undefined ? text : undefined)
  // Another propagator (B3) may have found another span.
  if (spanContext.traceId !== parsed?.traceId || spanContext.spanId !== parsed.spanId) {
    return { context, spanContext, invalid: undefined }
  }
  return found(context, parsed)
}

/** Optional white space round a header's value is seldom there. */
function withoutSpace(text: string): string {
  return /^[ \t]|[ \t]$/.test(text) ? text.replaceAll(/^[ \t]+|[ \t]+$/g, '') : text
}

function withState(parsed: SpanContext | undefined, tracestate: string | undefined): SpanContext | undefined {
  const state = parsed === undefined || tracestate === undefined ? undefined : parseTraceState(tracestate)
  return parsed === undefined || !state ? parsed : { ...parsed, traceState: state }
}

function found(context: Context, spanContext: SpanContext): HopContext {
  const exact = trace.setSpanContext(context, spanContext)
  const random = (spanContext.traceFlags & RANDOM_FLAG) !== 0
  return {
    context: random ? exact.setValue(RANDOM_TRACE, spanContext.traceId) : exact,
    spanContext,
    invalid: undefined,
  }
}

/** `text`: a `traceparent` that is not valid, where there was one. */
function none(context: Context, text: string | undefined): HopContext {
  return { context, spanContext: undefined, invalid: text?.slice(0, MAX_INVALID) }
}
