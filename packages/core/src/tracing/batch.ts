import {
  type Attributes,
  type Context,
  type Link,
  type SpanContext,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { Delivery, Subscriber, Transport } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import { type ArrivedHeaders, readHeaders } from './arrived.ts'
import { destinationAttributes } from './attributes.ts'
import { captureOf } from './capture.ts'
import { unixMs } from './clock.ts'
import { messageAttributes, type SentAt, sentAt, sentAtAttributes } from './delivery.ts'
import { recordFailure } from './failure.ts'
import { ROOT_LAYER } from './layer.ts'
import { LINK_LIMIT, partsOf } from './links.ts'
import { processMeter, type Source } from './metrics.ts'
import type { ProcessSpan, ProcessTelemetry } from './process.ts'
import { arrivedContext, type HopContext } from './propagation.ts'
import { lateAttributes, lateness } from './replay.ts'
import { APPLICATION, type Scope } from './scope.ts'

/** One message of a batch. */
export interface Member {
  readonly delivery: Delivery
  /** Undefined for a raw message. */
  readonly event: CloudEvent | undefined
}

/** One attempt at one batch. */
export interface BatchStart {
  readonly members: readonly Member[]
  readonly attempt: number
  /** The attempt before this one. */
  readonly previous: SpanContext | undefined
}

/** What came with one message. */
interface Arrival {
  readonly arrived: ArrivedHeaders
  readonly hop: HopContext
}

/** The span of one attempt at one batch. */
export interface BatchSpan extends ProcessSpan {
  /** The hop context of one message, as far as the subscription trusts it: for what is published on its behalf. */
  contextOf(index: number): Context
  /** What one message carried, trusted or not. */
  hopOf(index: number): HopContext | undefined
}

/**
 * Starts CONSUMER spans `process {destination}` of whole batches: roots, linked to the hop context of every message, with
 * the message's attributes on the link. Past 128 the SDK would drop links without a word: they stand on `receive` parts
 * of as many each below the process span, which links to the parts.
 */
export function batchTracer(
  transport: Pick<Transport<never, never>, 'system' | 'attributes'>,
  subscriber: Pick<Subscriber, 'attributes'>,
  { trust = 'continue', linkage = 'parent', template, delayAfterMs, capture }: ProcessTelemetry,
  scope: Scope = APPLICATION,
): (start: BatchStart) => BatchSpan {
  // A body or headers on each of 500 links would make a span that no backend takes.
  const captured = captureOf(capture?.bodySize ? { bodySize: true } : undefined)
  const meter = processMeter(transport, subscriber, scope)
  const fixed: Attributes = {
    'messaging.system': transport.system,
    ...transport.attributes.connection,
    ...subscriber.attributes,
  }
  const processing = { 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' }
  const receiving = { 'messaging.operation.name': 'receive', 'messaging.operation.type': 'receive' }

  return ({ members, attempt, previous }) => {
    const arrivals = members.map(({ delivery: { message } }): Arrival => {
      const arrived = readHeaders(message.headers)
      return { arrived, hop: arrivedContext(message.headers, arrived) }
    })
    const sources = members.map(({ delivery: { position } }): Source => {
      return { name: template ?? position.pattern, destination: position.destination }
    })
    const place = sharedPlace(sources)
    const suffix = place.name === undefined ? '' : ` ${place.name}`
    const startMs = unixMs()
    const retry = previous === undefined ? [] : [{ context: previous, attributes: { retry: true } }]
    const fits = members.length + retry.length <= LINK_LIMIT
    const span = scope.tracer.startSpan(
      `process${suffix}`,
      {
        kind: SpanKind.CONSUMER,
        startTime: startMs,
        attributes: {
          ...fixed,
          ...processing,
          ...place.attributes,
          'messaging.batch.message_count': members.length,
        },
        links: fits ? [...linksOf(members, arrivals, startMs), ...retry] : retry,
      },
      ROOT_LAYER,
    )
    const context = trace.setSpan(ROOT_LAYER, span)
    if (span.isRecording()) {
      if (!fits) span.addLinks(partLinks())
      const missing = arrivals.filter(({ hop }) => hop.spanContext === undefined).length
      if (missing > 0) {
        span.setAttribute('throughline.missing_context', true)
        span.setAttribute('throughline.missing_context.count', missing)
      }
      if (attempt > 1) span.setAttribute('throughline.attempt', attempt)
    }
    if (previous === undefined) {
      for (const [index, source] of sources.entries()) {
        const sent = sentOf(members[index]?.delivery, arrivals[index])
        meter.consumed(source, sent === undefined ? undefined : startMs - sent.micros / 1000, context)
      }
    }

    function partLinks(): Link[] {
      const parts = partsOf(linksOf(members, arrivals, startMs), LINK_LIMIT)
      return parts.map((links, index) => {
        const part = scope.tracer.startSpan(
          `receive${suffix}`,
          {
            kind: SpanKind.CLIENT,
            startTime: startMs,
            attributes: {
              ...fixed,
              ...receiving,
              ...place.attributes,
              'messaging.batch.message_count': links.length,
              'throughline.batch.part': `${index + 1}/${parts.length}`,
            },
            links: [...links],
          },
          context,
        )
        part.end(unixMs())
        return { context: part.spanContext() }
      })
    }

    return {
      span,
      context,
      hop: undefined,
      contextOf: (index) => contextOf(arrivals[index]?.hop),
      hopOf: (index) => arrivals[index]?.hop,
      end(failure, outcome) {
        const endMs = unixMs()
        if (failure !== null) recordFailure(span, failure, endMs)
        if (outcome !== undefined) span.setAttribute('throughline.outcome', outcome)
        span.end(endMs)
        meter.processed(sources[0] ?? { name: undefined, destination: '' }, endMs - startMs, failure, context)
      },
    }
  }

  function linksOf(members: readonly Member[], arrivals: readonly Arrival[], startMs: number): Link[] {
    if (trust === 'ignore') return []
    return members.flatMap(({ delivery, event }, index): Link[] => {
      const arrival = arrivals[index]
      const context = arrival?.hop.spanContext
      if (arrival === undefined || context === undefined) return []
      const sent = sentAt(delivery, arrival.arrived)
      const late = lateness(delivery, arrival.arrived, sent, startMs, delayAfterMs)
      const attributes: Attributes = {
        ...(late === undefined ? {} : { [late]: true }),
        ...lateAttributes(late, delivery, event),
        ...transport.attributes.delivered(delivery),
        ...messageAttributes(delivery, event),
        ...sentAtAttributes(sent),
        ...captured?.(delivery.message),
        ...(delivery.redelivered ? { 'throughline.redelivered': true } : {}),
      }
      return [{ context, attributes }]
    })
  }

  function contextOf(hop: HopContext | undefined): Context {
    if (hop === undefined) return ROOT_LAYER
    if (trust === 'continue' && linkage === 'parent') return hop.context
    return trust === 'continue' ? trace.deleteSpan(hop.context) : ROOT_LAYER
  }
}

/** What is read again by request has not waited since its send. */
function sentOf(delivery: Delivery | undefined, arrival: Arrival | undefined): SentAt | undefined {
  return delivery === undefined || arrival === undefined || delivery.replayed
    ? undefined
    : sentAt(delivery, arrival.arrived)
}

/** What all messages of a batch have in common of where they come from; nothing where they differ. */
function sharedPlace(sources: readonly Source[]): { name: string | undefined; attributes: Attributes } {
  const [first] = sources
  if (first === undefined) return { name: undefined, attributes: {} }
  const { name, destination } = first
  if (sources.every((source) => source.destination === destination)) {
    return { name: name ?? destination, attributes: destinationAttributes(destination, name) }
  }
  if (name === undefined || sources.some((source) => source.name !== name)) {
    return { name: undefined, attributes: {} }
  }
  return { name, attributes: { 'messaging.destination.template': name } }
}
