import {
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { Delivery, Settlement, Subscriber, Transport } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import { type ArrivedHeaders, readHeaders } from './arrived.ts'
import { type CaptureOptions, captureOf } from './capture.ts'
import { unixMs } from './clock.ts'
import { messageAttributes, sentAt, sentAtAttributes } from './delivery.ts'
import { recordFailure } from './failure.ts'
import { ROOT_LAYER } from './layer.ts'
import { ANYWHERE, processMeter } from './metrics.ts'
import { createPlaces } from './place.ts'
import { arrivedContext, type HopContext } from './propagation.ts'
import { type Late, lateAttributes, lateness } from './replay.ts'
import { APPLICATION, type Scope } from './scope.ts'
import { parseTraceparent } from './traceparent.ts'
import { withSpan } from './tracer.ts'

/** How process spans relate to what sent their messages. */
export interface ProcessTelemetry {
  /** `parent`: one trace from end to end. `link`: each consumer its own trace, with a link. Default `parent`. */
  readonly linkage?: 'parent' | 'link'
  /** What a foreign context may do. `link`: new trace, link, its baggage dropped. `ignore`: new trace. Default `continue`. */
  readonly trust?: 'continue' | 'link' | 'ignore'
  /**
   * What waited longer than this since its send is handled in a trace of its own, linked to the send (`delayed=true`),
   * milliseconds. Default: nothing is.
   */
  readonly delayAfterMs?: number
  /** Low-cardinality name of the source: `sensors/{id}/reading`. Default: the subscription's pattern, else the destination. */
  readonly template?: string
  /** What spans carry of messages themselves; of a batch's messages its links have the body size alone. Default nothing. */
  readonly capture?: CaptureOptions
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

/** The span of one attempt, which a handler runs in. */
export interface ProcessSpan {
  readonly span: Span
  /** To run the handler in: the process span, and the baggage that arrived. */
  readonly context: Context
  /** What the message carried: its own context, also where the span has another parent. */
  readonly hop: HopContext | undefined
  /** Ends the span: null when the handler has returned. `outcome` is the settlement that follows; undefined where that is not known. */
  end(failure: Error | null, outcome: Settlement['outcome'] | undefined): void
}

/**
 * Starts CONSUMER spans `process {destination}`, one an attempt, all with the same parent: the context in the message's
 * own headers. A missing or invalid context makes a root and never fails. Counts every attempt, sampled or not.
 */
export function processTracer(
  transport: Pick<Transport<never, never>, 'system' | 'attributes'>,
  subscriber: Pick<Subscriber, 'attributes'>,
  telemetry: ProcessTelemetry,
  scope: Scope = APPLICATION,
): (start: ProcessStart) => ProcessSpan {
  const { linkage = 'parent', trust = 'continue', template, delayAfterMs } = telemetry
  const captured = captureOf(telemetry.capture)
  const continues = trust === 'continue' && linkage === 'parent'
  const meter = processMeter(transport, subscriber, scope)
  const placeOf = createPlaces('process', {
    'messaging.system': transport.system,
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    ...transport.attributes.connection,
    ...subscriber.attributes,
  })

  return ({ delivery, event, attempt, previous }) => {
    const { message, position } = delivery
    const arrived = readHeaders(message.headers)
    const hop = arrivedContext(message.headers, arrived)
    const place = placeOf(position.destination, template ?? position.pattern)
    const source = position.unbounded && place.name === undefined ? ANYWHERE : place
    const startMs = unixMs()
    const counts = previous === undefined && meter.counts()
    // Parsed only for whom it is of use.
    let sent = counts || delayAfterMs !== undefined ? sentAt(delivery, arrived) : undefined
    const late = lateness(delivery, arrived, sent, startMs, delayAfterMs)
    const failed = previous ?? attemptOf(arrived)
    const parent = late === undefined ? arrivalContext(parentContext(hop), delivery) : ownTrace(hop)
    const span = scope.tracer.startSpan(
      place.spanName,
      {
        kind: SpanKind.CONSUMER,
        startTime: startMs,
        attributes: place.attributes,
        links: linksOf(hop, event, failed, late),
      },
      parent,
    )
    const context = withSpan(parent, span)
    if (counts) {
      // What is read again by request has not waited since its send.
      const queuedMs = sent === undefined || delivery.replayed ? undefined : startMs - sent.micros / 1000
      meter.consumed(source, queuedMs, context)
    }
    if (span.isRecording()) {
      span.setAttributes(transport.attributes.delivered(delivery))
      span.setAttributes(messageAttributes(delivery, event))
      if (hop.spanContext === undefined) span.setAttributes(contextFaults(hop))
      if (captured !== undefined) span.setAttributes(captured(message))
      sent ??= sentAt(delivery, arrived)
      span.setAttributes(sentAtAttributes(sent))
      if (attempt > 1) span.setAttribute('throughline.attempt', attempt)
      if (late !== undefined) span.setAttributes(lateAttributes(late, delivery, event))
      if (delivery.redelivered && failed === undefined) span.setAttribute('throughline.redelivered', true)
    }

    function end(failure: Error | null, outcome: Settlement['outcome'] | undefined): void {
      if (!span.isRecording() && !meter.counts()) {
        span.end()
        return
      }
      const endMs = unixMs()
      if (failure !== null) recordFailure(span, failure, endMs)
      if (outcome !== undefined) span.setAttribute('throughline.outcome', outcome)
      span.end(endMs)
      meter.processed(source, endMs - startMs, failure, context)
    }
    return { span, context, hop, end }
  }

  /** The attempt that another process says it made. */
  function attemptOf({ attemptOf: header }: ArrivedHeaders): SpanContext | undefined {
    return trust === 'ignore' ? undefined : parseTraceparent(header)
  }

  function parentContext(hop: HopContext): Context {
    return continues ? hop.context : ownTrace(hop)
  }

  function ownTrace(hop: HopContext): Context {
    // A context of one's own side keeps its baggage in a trace of its own; a foreign one's is dropped.
    return trust === 'continue' ? trace.deleteSpan(hop.context) : ROOT_LAYER
  }

  /** Inside a span of the server that received it, the process span is that span's child; the hop stays a link. */
  function arrivalContext(parent: Context, delivery: Delivery): Context {
    const span = delivery.context === undefined ? undefined : trace.getSpan(delivery.context)
    return span === undefined ? parent : trace.setSpan(parent, span)
  }

  function linksOf(
    hop: HopContext,
    event: CloudEvent | undefined,
    failed: SpanContext | undefined,
    late: Late | undefined,
  ): Link[] {
    const links: Link[] = []
    if (trust !== 'ignore') {
      if (hop.spanContext !== undefined) {
        links.push({
          context: hop.spanContext,
          ...(late === undefined ? {} : { attributes: { [late]: true } }),
        })
      }
      const origin = parseTraceparent(event?.traceparent)
      if (origin !== undefined && origin.spanId !== hop.spanContext?.spanId) {
        links.push({ context: origin, attributes: { origin: true } })
      }
    }
    if (failed !== undefined) links.push({ context: failed, attributes: { retry: true } })
    return links
  }

  function contextFaults(hop: HopContext): Attributes {
    return {
      'throughline.missing_context': true,
      // The name that existing queries look for.
      ...(transport.system === 'mqtt' ? { 'mqtt.missing_context': true } : {}),
      ...(hop.invalid === undefined ? {} : { 'throughline.invalid_context': hop.invalid }),
    }
  }
}
