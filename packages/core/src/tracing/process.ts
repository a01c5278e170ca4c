import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { Delivery, Subscriber, Transport } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import { headerText } from '../message.ts'
import { destinationAttributes, eventAttributes } from './attributes.ts'
import { unixMs } from './clock.ts'
import { SENT_AT_HEADER } from './headers.ts'
import { extractContext, type HopContext, parseTraceparent } from './propagation.ts'
import { tracer } from './tracer.ts'

/** How process spans relate to what sent their messages. */
export interface ProcessTelemetry {
  /** `parent`: one trace from end to end. `link`: each consumer its own trace, with a link. Default `parent`. */
  readonly linkage?: 'parent' | 'link'
  /** What a foreign context may do. `link`: new trace, link, its baggage dropped. `ignore`: new trace. Default `continue`. */
  readonly trust?: 'continue' | 'link' | 'ignore'
  /** Low-cardinality name of the source: `sensors/{id}/reading`. Default: the subscription's pattern, else the destination. */
  readonly template?: string
}

/** One attempt at one delivery. */
export interface ProcessStart {
  readonly delivery: Delivery
  /** Undefined for a raw message, or one that is no valid event. */
  readonly event: CloudEvent | undefined
  readonly attempt: number
  /** The attempt before this one, where it was made in this process. */
  readonly previous: SpanContext | undefined
}

export interface ProcessSpan {
  readonly span: Span
  /** To run the handler in: the process span, and the baggage that arrived. */
  readonly context: Context
}

/**
 * Starts CONSUMER spans `process {destination}`, one an attempt, all with the same parent: the context in the message's
 * own headers. The caller ends them, by the same clock (`unixMs`). A missing or invalid context makes a root and never fails.
 */
export function processTracer(
  transport: Transport<never, never>,
  subscriber: Subscriber,
  telemetry: ProcessTelemetry,
): (start: ProcessStart) => ProcessSpan {
  const { linkage = 'parent', trust = 'continue', template } = telemetry
  const continues = trust === 'continue' && linkage === 'parent'
  const fixed: Attributes = {
    'messaging.system': transport.system,
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    ...transport.attributes.connection,
    ...subscriber.attributes,
  }

  return ({ delivery, event, attempt, previous }) => {
    const { message, position } = delivery
    const hop = extractContext(message.headers)
    const name = template ?? position.pattern
    const messageId = message.properties?.messageId ?? event?.id
    const parent = arrivalContext(parentContext(hop), delivery)
    const span = tracer.startSpan(
      `process ${name ?? position.destination}`,
      {
        kind: SpanKind.CONSUMER,
        startTime: unixMs(),
        attributes: {
          ...fixed,
          ...destinationAttributes(position.destination, name),
          ...(messageId === undefined ? {} : { 'messaging.message.id': messageId }),
          ...transport.attributes.delivered(delivery),
          ...(event === undefined ? {} : eventAttributes(event)),
          ...contextFaults(hop),
          ...sentAt(delivery),
          ...(attempt > 1 ? { 'throughline.attempt': attempt } : {}),
          ...(delivery.redelivered && previous === undefined ? { 'throughline.redelivered': true } : {}),
        },
        links: linksOf(hop, event, previous),
      },
      parent,
    )
    return { span, context: trace.setSpan(parent, span) }
  }

  function parentContext(hop: HopContext): Context {
    if (continues) return hop.context
    // A context of one's own side keeps its baggage in a trace of its own; a foreign one's is dropped.
    return trust === 'continue' ? trace.deleteSpan(hop.context) : ROOT_CONTEXT
  }

  /** Inside a span of the server that received it, the process span is that span's child; the hop stays a link. */
  function arrivalContext(parent: Context, delivery: Delivery): Context {
    const span = delivery.context === undefined ? undefined : trace.getSpan(delivery.context)
    return span === undefined ? parent : trace.setSpan(parent, span)
  }

  function linksOf(
    hop: HopContext,
    event: CloudEvent | undefined,
    previous: SpanContext | undefined,
  ): Link[] {
    const links: Link[] = []
    if (trust !== 'ignore') {
      if (hop.spanContext !== undefined) links.push({ context: hop.spanContext })
      const origin = parseTraceparent(event?.traceparent)
      if (origin !== undefined && origin.spanId !== hop.spanContext?.spanId) {
        links.push({ context: origin, attributes: { origin: true } })
      }
    }
    if (previous !== undefined) links.push({ context: previous, attributes: { retry: true } })
    return links
  }

  function contextFaults(hop: HopContext): Attributes {
    if (hop.spanContext !== undefined) return {}
    return {
      'throughline.missing_context': true,
      // The name that existing queries look for.
      ...(transport.system === 'mqtt' ? { 'mqtt.missing_context': true } : {}),
      ...(hop.invalid === undefined ? {} : { 'throughline.invalid_context': hop.invalid }),
    }
  }
}

/** The start of the send where the producer's span may be unknown: our header, else the record's own time. Unix microseconds. */
function sentAt({ message, position }: Delivery): Attributes {
  const header = headerText(message.headers, SENT_AT_HEADER)
  if (header !== null && /^\d{1,16}$/.test(header)) {
    return { 'throughline.sent_at': Number(header), 'throughline.sent_at_source': 'header' }
  }
  if (position.timestampMs === undefined) return {}
  return { 'throughline.sent_at': position.timestampMs * 1000, 'throughline.sent_at_source': 'broker' }
}
