import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import { type Header, textOf } from '../message.ts'

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

const W3C_HEADERS: readonly string[] = ['traceparent', 'tracestate', 'baggage']

const setter: TextMapSetter<[string, string][]> = {
  set(carrier, name, value) {
    carrier.push([name.toLowerCase(), value])
  },
}

const getter: TextMapGetter<readonly Header[]> = {
  keys: (carrier) => carrier.map(([name]) => name),
  get(carrier, wanted) {
    const name = wanted.toLowerCase()
    const values = carrier
      .filter(([candidate]) => candidate.toLowerCase() === name)
      .map(([, value]) => textOf(value))
    // Lists may be split over several headers (W3C Trace Context §3.3.1.5, W3C Baggage §3.2); a second traceparent is invalid.
    return values.length > 1 ? values.join(',') : values[0]
  },
}

/** Names that carry a hop context: W3C's, and those of the propagators that the application has set. */
export function isContextHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return W3C_HEADERS.includes(lower) || propagation.fields().some((field) => field.toLowerCase() === lower)
}

/**
 * The headers with the context of `context`'s span in place of any that was there: a message carries exactly one
 * `traceparent`, `tracestate` and `baggage`. The array given is not changed. Where the context has no span (no SDK),
 * a context that the headers already carry stays, so that the chain is not cut by a service without one.
 */
export function injectContext(context: Context, headers: readonly Header[], propagate: Propagate): Header[] {
  if (propagate === 'none') return headers.filter(([name]) => !isContextHeader(name))
  const carrier: [string, string][] = []
  const sent = propagate === 'trace' ? propagation.deleteBaggage(context) : context
  propagation.inject(sent, carrier, setter)
  const written = new Set(carrier.map(([name]) => name))
  const hasTrace = carrier.some(([name]) => name !== 'baggage')
  const replaced = (name: string) =>
    hasTrace ? isContextHeader(name) : written.has(name) || (propagate === 'trace' && name === 'baggage')
  return [...headers.filter(([name]) => !replaced(name.toLowerCase())), ...carrier]
}

/** Reads the hop context of one message, by the application's propagator. Never throws. */
export function extractContext(headers: readonly Header[]): HopContext {
  const context = propagation.extract(ROOT_CONTEXT, headers, getter)
  const spanContext = trace.getSpanContext(context)
  const traceparent = getter.get(headers, 'traceparent')
  const invalid =
    spanContext === undefined && typeof traceparent === 'string' ? traceparent.slice(0, 64) : undefined
  return { context, spanContext, invalid }
}

/** A span's context as W3C `traceparent` (Trace Context level 2 §3.2). */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

/** The span context in a `traceparent` text, such as the origin extension; undefined where it is not valid. */
export function parseTraceparent(text: unknown): SpanContext | undefined {
  const match = typeof text === 'string' ? TRACEPARENT.exec(text) : null
  const [, traceId, spanId, flags] = match ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}
