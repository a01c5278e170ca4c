import { type Context, type Link, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { Delivery, Subscriber, Transport } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import { readHeaders } from './arrived.ts'
import { captureOf } from './capture.ts'
import { unixMs } from './clock.ts'
import { messageAttributes, sentAt, sentAtAttributes } from './delivery.ts'
import { ROOT_LAYER } from './layer.ts'
import { processMeter } from './metrics.ts'
import { createPlaces } from './place.ts'
import type { ProcessTelemetry } from './process.ts'
import { arrivedContext, type HopContext } from './propagation.ts'
import { APPLICATION, type Scope } from './scope.ts'
import { parseTraceparent } from './traceparent.ts'

/** One message that the application asked for, and got. */
export interface ReceiveStart {
  readonly delivery: Delivery
  /** Undefined for a raw message. */
  readonly event: CloudEvent | undefined
  /** When it asked, Unix milliseconds. */
  readonly startMs: number
  /** The context in which it asked. */
  readonly active: Context
}

/** A message that was got, and the span of having got it. */
export interface ReceiveSpan {
  readonly span: Span
  /** To handle the message in: its hop context, as far as that is trusted. */
  readonly context: Context
  readonly hop: HopContext
  /** Ends the span: the message is handed over. */
  end(): void
}

/**
 * Makes CLIENT spans `{operation} {destination}` of messages that are asked for one by one, of operation type `receive`:
 * children of the span that asked, linked to the message's hop context. How long it is handled then, and in how many
 * spans, is the application's: it has the message's own context for that. Counts every message, sampled or not.
 */
export function receiveTracer(
  transport: Pick<Transport<never, never>, 'system' | 'attributes'>,
  subscriber: Pick<Subscriber, 'attributes'>,
  { trust = 'continue', linkage = 'parent', template, capture }: ProcessTelemetry,
  operation: string,
  scope: Scope = APPLICATION,
): (start: ReceiveStart) => ReceiveSpan {
  const captured = captureOf(capture)
  const meter = processMeter(transport, subscriber, scope, { name: operation, type: 'receive' })
  const placeOf = createPlaces(operation, {
    'messaging.system': transport.system,
    'messaging.operation.name': operation,
    'messaging.operation.type': 'receive',
    ...transport.attributes.connection,
    ...subscriber.attributes,
  })

  return ({ delivery, event, startMs, active }) => {
    const { message, position, redelivered, attempt } = delivery
    const arrived = readHeaders(message.headers)
    const hop = arrivedContext(message.headers, arrived)
    const place = placeOf(position.destination, template ?? position.pattern)
    const sent = sentAt(delivery, arrived)
    const span = scope.tracer.startSpan(
      place.spanName,
      {
        kind: SpanKind.CLIENT,
        startTime: startMs,
        attributes: place.attributes,
        links: linksOf(hop, event),
      },
      active,
    )
    const endMs = unixMs()
    meter.consumed(place, sent === undefined ? undefined : endMs - sent.micros / 1000, active)
    meter.received(place, endMs - startMs, active)
    if (span.isRecording()) {
      span.setAttributes(transport.attributes.delivered(delivery))
      span.setAttributes(messageAttributes(delivery, event))
      span.setAttributes(sentAtAttributes(sent))
      if (hop.spanContext === undefined) span.setAttribute('throughline.missing_context', true)
      if (hop.invalid !== undefined) span.setAttribute('throughline.invalid_context', hop.invalid)
      if (captured !== undefined) span.setAttributes(captured(message))
      if (attempt > 1) span.setAttribute('throughline.attempt', attempt)
      if (redelivered) span.setAttribute('throughline.redelivered', true)
    }
    return { span, context: contextOf(hop), hop, end: () => span.end(endMs) }
  }

  function linksOf(hop: HopContext, event: CloudEvent | undefined): Link[] {
    const links: Link[] = []
    if (trust === 'ignore') return links
    if (hop.spanContext !== undefined) links.push({ context: hop.spanContext })
    const origin = parseTraceparent(event?.traceparent)
    if (origin !== undefined && origin.spanId !== hop.spanContext?.spanId) {
      links.push({ context: origin, attributes: { origin: true } })
    }
    return links
  }

  function contextOf(hop: HopContext): Context {
    if (trust !== 'continue') return ROOT_LAYER
    return linkage === 'parent' ? hop.context : trace.deleteSpan(hop.context)
  }
}
