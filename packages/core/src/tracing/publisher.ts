import {
  type Attributes,
  type Context,
  context as contexts,
  createContextKey,
  type Link,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { ContentMode } from '../binding.ts'
import type { Publisher, PublishResult, Transport } from '../contract.ts'
import { STRUCTURED_JSON } from '../json.ts'
import type { Message } from '../message.ts'
import { destinationAttributes, eventAttributes } from './attributes.ts'
import { unixMs } from './clock.ts'
import { recordFailure } from './failure.ts'
import { SENT_AT_HEADER } from './headers.ts'
import { sendMeter } from './metrics.ts'
import { injectContext, type Propagate } from './propagation.ts'
import { traceparentOf } from './traceparent.ts'
import { tracer } from './tracer.ts'

/** What a publisher's spans and messages carry. */
export interface PublishTelemetry {
  /** Low-cardinality name of a destination that differs by message: `sensors/{id}/reading`. Default: the destination itself. */
  readonly template?: string
  /** Default `all`. */
  readonly propagate?: Propagate
  /** Writes the CloudEvents `traceparent` extension into events that have none: the trace in which each was created. Default false. */
  readonly origin?: boolean
  /** Content mode. Default `binary`. */
  readonly mode?: ContentMode
}

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

/** One message on its way. */
interface Send {
  readonly message: Message
  readonly span: Span
  readonly context: Context
  readonly startMs: number
}

/**
 * Publisher with one PRODUCER span a message, `{send|publish} {destination}`, from before the message is handed to the
 * driver until its own confirmation (messaging conventions 1.44). The message sent carries that span's context.
 */
export function tracePublisher(
  publisher: Publisher,
  transport: Transport<never, never>,
  telemetry: PublishTelemetry,
): Publisher {
  const { template, propagate = 'all', origin = false } = telemetry
  const { sendOperation, attributes } = transport
  const meter = sendMeter(transport, publisher, template)
  const fixed: Attributes = {
    'messaging.system': transport.system,
    'messaging.operation.name': sendOperation,
    'messaging.operation.type': 'send',
    ...attributes.connection,
    ...publisher.attributes,
  }

  function startSend(message: Message, parent: Context, startMs: number): Span {
    const destination = message.destination ?? publisher.destination
    const more = sendTelemetryOf(parent)
    const { event, properties } = message
    const messageId = properties?.messageId ?? event?.id
    const span = tracer.startSpan(
      `${sendOperation} ${template ?? destination}`,
      {
        kind: SpanKind.PRODUCER,
        startTime: startMs,
        attributes: { ...fixed, ...destinationAttributes(destination, template) },
        links: more === undefined ? [] : [...more.links],
      },
      parent,
    )
    if (!span.isRecording()) return span
    span.setAttributes(attributes.sent(message, destination))
    if (event !== undefined) span.setAttributes(eventAttributes(event))
    if (messageId !== undefined) span.setAttribute('messaging.message.id', messageId)
    if (more !== undefined) span.setAttributes(more.attributes)
    return span
  }

  function withOrigin(message: Message, span: Span): Message {
    const { event, key } = message
    if (
      !origin ||
      event === undefined ||
      'traceparent' in event ||
      !trace.isSpanContextValid(span.spanContext())
    )
      return message
    // The message's own mode, which may be another one than the publisher's.
    const mode = message.contentType?.startsWith(STRUCTURED_JSON) ? 'structured' : 'binary'
    const encoded = transport.binding.encode(
      { ...event, traceparent: traceparentOf(span.spanContext()) },
      { mode, ...(key === undefined ? {} : { key }) },
    )
    return { ...message, ...encoded }
  }

  function prepare(message: Message, span: Span, context: Context, startMs: number): Message {
    const sent = withOrigin(message, span)
    const headers = injectContext(context, sent.headers, propagate)
    const kept = headers.filter(([name]) => name !== SENT_AT_HEADER)
    kept.push([SENT_AT_HEADER, String(Math.round(startMs * 1000))])
    return { ...sent, headers: kept }
  }

  async function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const active = contexts.active()
    const sends: Send[] = []
    const prepared: Message[] = []
    for (const message of messages) {
      const parent = message.context ?? active
      const startMs = unixMs()
      const span = startSend(message, parent, startMs)
      const context = trace.setSpan(parent, span)
      sends.push({ message, span, context, startMs })
      prepared.push(prepare(message, span, context, startMs))
    }
    const results = await publisher.publish(prepared)
    const endMs = unixMs()
    for (const [index, send] of sends.entries()) endSend(send, results[index], endMs)
    return results
  }

  function endSend(
    { message, span, context, startMs }: Send,
    result: PublishResult | undefined,
    endMs: number,
  ) {
    if (result !== undefined) {
      if (span.isRecording()) span.setAttributes(attributes.confirmed(result))
      if (!result.ok) recordFailure(span, result.error, endMs)
      meter.sent(message, result, context)
      meter.took(endMs - startMs, message, result.ok ? undefined : result.error, context)
    }
    span.end(endMs)
  }

  return {
    destination: publisher.destination,
    open: () => publisher.open(),
    publish,
    close: () => publisher.close(),
  }
}
