import {
  type Attributes,
  type Context,
  createContextKey,
  type Link,
  type Span,
  type SpanContext,
  SpanKind,
} from '@opentelemetry/api'
import type { Publisher, PublishResult, Transport } from '../contract.ts'
import type { Message } from '../message.ts'
import { eventAttributes } from './attributes.ts'
import { captureOf } from './capture.ts'
import { recordFailure } from './failure.ts'
import { createPlaces } from './place.ts'
import type { PublishTelemetry } from './publisher.ts'
import { APPLICATION, type Scope } from './scope.ts'

/** What whoever publishes on a delivery's behalf adds to the send span. */
export interface SendTelemetry {
  readonly links: readonly Link[]
  readonly attributes: Attributes
}

const SEND_TELEMETRY = createContextKey('throughline send telemetry')

/** A context under which sends get these links and attributes too. */
export function withSendTelemetry(context: Context, telemetry: SendTelemetry): Context {
  return context.setValue(SEND_TELEMETRY, telemetry)
}

function sendTelemetryOf(context: Context): SendTelemetry | undefined {
  // Only withSendTelemetry has the key.
  return context.getValue(SEND_TELEMETRY) as SendTelemetry | undefined
}

/** One part of a batch that is sent: its messages' create contexts, and which part of how many it is. */
export interface BatchPart {
  readonly destination: string
  readonly links: readonly Link[]
  readonly part: number
  readonly parts: number
}

export interface SendSpans {
  /**
   * PRODUCER `{send|publish} {destination}` of one message; CLIENT, linked to it, where the message keeps the context in
   * which it was `created`.
   */
  message(message: Message, parent: Context, startMs: number, created?: SpanContext): Span
  /** PRODUCER `create {destination}` of one message of a batch. */
  create(message: Message, parent: Context, startMs: number): Span
  /** CLIENT `{send|publish} {destination}` of the messages of a batch, linked to what created each. */
  batch(part: BatchPart, parent: Context, startMs: number): Span
  /** What the broker said of one message. */
  confirm(span: Span, result: PublishResult<Error>, atMs: number): void
}

/** Starts the spans of one publisher (messaging conventions 1.44). Only spans that record get attributes of their message. */
export function sendSpans(
  {
    system,
    sendOperation,
    attributes,
  }: Pick<Transport<never, never>, 'system' | 'sendOperation' | 'attributes'>,
  publisher: Pick<Publisher, 'destination' | 'attributes'>,
  { template, capture }: PublishTelemetry,
  scope: Scope = APPLICATION,
): SendSpans {
  const captured = captureOf(capture)
  const shared: Attributes = {
    'messaging.system': system,
    ...attributes.connection,
    ...publisher.attributes,
  }
  const sending = createPlaces(sendOperation, {
    ...shared,
    'messaging.operation.name': sendOperation,
    'messaging.operation.type': 'send',
  })
  const creating = createPlaces('create', {
    ...shared,
    'messaging.operation.name': 'create',
    'messaging.operation.type': 'create',
  })

  function ofMessage(
    placeOf: typeof sending,
    message: Message,
    parent: Context,
    startMs: number,
    created?: SpanContext,
  ) {
    const destination = message.destination ?? publisher.destination
    const place = placeOf(destination, template)
    const more = sendTelemetryOf(parent)
    const span = scope.tracer.startSpan(
      place.spanName,
      {
        kind: created === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
        startTime: startMs,
        attributes: place.attributes,
        links: created === undefined && more === undefined ? [] : linksOf(created, more),
      },
      parent,
    )
    if (!span.isRecording()) return span
    const { event, properties } = message
    const messageId = properties?.messageId ?? event?.id
    span.setAttributes(attributes.sent(message, destination))
    if (event !== undefined) span.setAttributes(eventAttributes(event))
    if (messageId !== undefined) span.setAttribute('messaging.message.id', messageId)
    if (more !== undefined) span.setAttributes(more.attributes)
    if (captured !== undefined) span.setAttributes(captured(message))
    return span
  }

  return {
    message: (message, parent, startMs, created) => ofMessage(sending, message, parent, startMs, created),
    create: (message, parent, startMs) => ofMessage(creating, message, parent, startMs),
    batch({ destination, links, part, parts }, parent, startMs) {
      const place = sending(destination, template)
      return scope.tracer.startSpan(
        place.spanName,
        {
          kind: SpanKind.CLIENT,
          startTime: startMs,
          attributes: {
            ...place.attributes,
            'messaging.batch.message_count': links.length,
            ...(parts > 1 ? { 'throughline.batch.part': `${part}/${parts}` } : {}),
          },
          links: [...links],
        },
        parent,
      )
    },
    confirm(span, result, atMs) {
      if (!span.isRecording()) return
      span.setAttributes(attributes.confirmed(result))
      if (!result.ok) recordFailure(span, result.error, atMs)
    },
  }
}

function linksOf(created: SpanContext | undefined, more: SendTelemetry | undefined): Link[] {
  return [...(created === undefined ? [] : [{ context: created }]), ...(more?.links ?? [])]
}
