import {
  context as activeContext,
  type Context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import { type Header, textOf } from '../message.ts'
import { parseTraceparent, RANDOM_FLAG, traceparentOf } from './traceparent.ts'
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

/** Trace id of a trace that arrived with the random flag. */
const RANDOM_TRACE = createContextKey('throughline random trace id')

const W3C_HEADERS: readonly string[] = ['traceparent', 'tracestate', 'baggage']

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
    return joined(headers, name)
  },
}

/** Lists may be split over several headers (W3C Trace Context §3.3.1.5, W3C Baggage §3.2); a second `traceparent` is invalid. */
function joined(headers: readonly Header[], wanted: string): string | undefined {
  let text: string | undefined
  for (const [name, value] of headers) {
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue
    text = text === undefined ? textOf(value) : `${text},${textOf(value)}`
  }
  return text
}

/** Names that carry a hop context: W3C's, and those of the propagators that the application has set. */
export function isContextHeader(name: string): boolean {
  return isOneOf(propagation.fields(), name.toLowerCase())
}

/** `fields` are asked for once a message: propagators make them anew at each call. */
function isOneOf(fields: readonly string[], name: string): boolean {
  return W3C_HEADERS.includes(name) || fields.some((field) => field.toLowerCase() === name)
}

/**
 * The headers with the context of `context`'s span in place of any that was there: a message carries exactly one
 * `traceparent`, `tracestate` and `baggage`. The array given is not changed. Where the context has no span (no SDK),
 * a context that the headers already carry stays, so that the chain is not cut by a service without one.
 */
export function injectContext(context: Context, headers: readonly Header[], propagate: Propagate): Header[] {
  const fields = propagation.fields()
  if (propagate === 'none') return headers.filter(([name]) => !isOneOf(fields, name.toLowerCase()))
  const carrier: [string, string][] = []
  const sent = propagate === 'trace' ? propagation.deleteBaggage(context) : context
  propagation.inject(sent, carrier, setter)
  const written = new Set<string>()
  let hasTrace = false
  for (const header of carrier) {
    written.add(header[0])
    if (header[0] !== 'baggage') hasTrace = true
    if (header[0] === 'traceparent') header[1] = withRandomFlag(header[1], context)
  }
  const replaced = (name: string) =>
    hasTrace ? isOneOf(fields, name) : written.has(name) || (propagate === 'trace' && name === 'baggage')
  return [...headers.filter(([name]) => !replaced(name.toLowerCase())), ...carrier]
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
  return traceparentOf({ ...written, traceFlags: written.traceFlags | RANDOM_FLAG })
}

/**
 * Reads the hop context of one message, by the application's propagator. Never throws.
 * W3C's headers reach it only where they are valid by the letter of Trace Context level 2: the usual propagators take
 * a part of two `traceparent`, and carry on members of a `tracestate` that has others which are not valid.
 */
export function extractContext(headers: readonly Header[]): HopContext {
  const text = joined(headers, 'traceparent')?.replaceAll(/^[ \t]+|[ \t]+$/g, '')
  const parsed = parseTraceparent(text)
  const state = parsed === undefined ? undefined : parseTraceState(joined(headers, 'tracestate') ?? '')
  const context = propagation.extract(
    ROOT_CONTEXT,
    {
      headers,
      traceparent: parsed && traceparentOf(parsed),
      tracestate: state?.serialize(),
    },
    getter,
  )
  const found = trace.getSpanContext(context)
  if (found === undefined) {
    return { context, spanContext: undefined, invalid: parsed === undefined ? text?.slice(0, 64) : undefined }
  }
  // Another propagator (B3) may have found another span.
  if (parsed === undefined || found.traceId !== parsed.traceId || found.spanId !== parsed.spanId) {
    return { context, spanContext: found, invalid: undefined }
  }
  const spanContext = state ? { ...parsed, traceState: state } : parsed
  const exact = trace.setSpanContext(context, spanContext)
  const random = (parsed.traceFlags & RANDOM_FLAG) !== 0
  return {
    context: random ? exact.setValue(RANDOM_TRACE, parsed.traceId) : exact,
    spanContext,
    invalid: undefined,
  }
}
