import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api'

/** Where @opentelemetry/api keeps what an application registers, whichever 1.x of it does. */
const REGISTRY: unique symbol = Symbol.for('opentelemetry.js.api.1')
const KNOWN = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  traceFlags: 1,
  isRemote: true,
}
const KNOWN_TRACEPARENT = `00-${KNOWN.traceId}-${KNOWN.spanId}-01`

/** Whether the application has set a propagator at all: without one nothing is injected and nothing extracted. */
export function isPropagatorSet(): boolean {
  return registeredPropagator() !== undefined
}

let judged: unknown
let verdict = false

/**
 * Whether the application's propagator is OpenTelemetry's own for W3C Trace Context, alone or with its own for W3C
 * Baggage: what it does to a context is known then, and need not be asked for at each message. Any other one, also one
 * that cannot be told for certain, is asked. See RATIONALE.md.
 */
export function isW3cPropagator(): boolean {
  const registered = registeredPropagator()
  if (registered !== judged) {
    judged = registered
    verdict = isOwnOfW3c(registered) && carriesKnown()
  }
  return verdict
}

function registeredPropagator(): unknown {
  const registry = (globalThis as { readonly [REGISTRY]?: unknown })[REGISTRY]
  return isObject(registry) ? registry.propagation : undefined
}

function isOwnOfW3c(propagator: unknown): boolean {
  if (isUnchanged(propagator, 'W3CTraceContextPropagator')) return true
  if (!isUnchanged(propagator, 'CompositePropagator')) return false
  const parts = propagator._propagators
  return (
    Array.isArray(parts) &&
    parts.some((part) => isUnchanged(part, 'W3CTraceContextPropagator')) &&
    parts.every(
      (part) => isUnchanged(part, 'W3CTraceContextPropagator') || isUnchanged(part, 'W3CBaggagePropagator'),
    )
  )
}

/** An instance of the class of that name itself: none of a subclass, none with methods of its own. */
function isUnchanged(value: unknown, className: string): value is Record<string, unknown> {
  return (
    isObject(value) &&
    value.constructor.name === className &&
    !Object.hasOwn(value, 'inject') &&
    !Object.hasOwn(value, 'extract')
  )
}

/** By way of the API, which passes over a registry that is not its own. */
function carriesKnown(): boolean {
  const carrier: Record<string, string> = {}
  propagation.inject(trace.setSpanContext(ROOT_CONTEXT, KNOWN), carrier, defaultTextMapSetter)
  if (Object.keys(carrier).length !== 1 || carrier.traceparent !== KNOWN_TRACEPARENT) return false
  const context = propagation.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter)
  const found = trace.getSpanContext(context)
  return found?.traceId === KNOWN.traceId && found.spanId === KNOWN.spanId && found.traceFlags === 1
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
