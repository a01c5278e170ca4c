import {
  context,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import { idOf } from '../overhead/link.ts'

/** A message's header by its name. Kafka's are bytes. */
type HeaderOf = (name: string) => unknown

/** What a service does for each message beside carrying it. */
export interface Tracing {
  headersOf(number: number): Record<string, string>
  /** Calls `onMessage` with the id of a message that has come. */
  handle(headerOf: HeaderOf, onMessage: (id: string) => void): void
}

/** Nothing: an id alone. */
export const untraced: Tracing = {
  headersOf: (number) => ({ id: idOf(number) }),
  handle: (headerOf, onMessage) => onMessage(String(headerOf('id'))),
}

const getter: TextMapGetter<HeaderOf> = {
  get(headerOf, name) {
    const value = headerOf(name)
    return value === undefined ? undefined : String(value)
  },
  keys: () => [],
}

/**
 * The least that gives one trace, by OpenTelemetry's API alone: a span where a message is sent, with its context in the
 * headers, and its child in which the message is handled. No links, no batches, no attributes of the message itself.
 */
export function tracedByHand(system: string): Tracing {
  const tracer = trace.getTracer('by hand')
  const attributesOf = (operation: string) => ({
    'messaging.system': system,
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': 'readings',
    'server.address': '127.0.0.1',
    'server.port': 1000,
  })
  const sending = { kind: SpanKind.PRODUCER, attributes: attributesOf('send') }
  const processing = { kind: SpanKind.CONSUMER, attributes: attributesOf('process') }
  return {
    headersOf(number) {
      const active = context.active()
      const span = tracer.startSpan('send readings', sending, active)
      const headers = { id: idOf(number) }
      propagation.inject(trace.setSpan(active, span), headers, defaultTextMapSetter)
      span.end()
      return headers
    },
    handle(headerOf, onMessage) {
      const parent = propagation.extract(ROOT_CONTEXT, headerOf, getter)
      const span = tracer.startSpan('process readings', processing, parent)
      context.with(trace.setSpan(parent, span), onMessage, undefined, String(headerOf('id')))
      span.end()
    },
  }
}
