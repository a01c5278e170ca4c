import { type Context, context as contexts, type Span, trace } from '@opentelemetry/api'
import type { ContentMode } from '../binding.ts'
import type { Publisher, PublishResult, Transport } from '../contract.ts'
import { errorMessage, UnavailableError } from '../errors.ts'
import type { Message } from '../message.ts'
import type { CaptureOptions } from './capture.ts'
import { unixMs } from './clock.ts'
import { recordFailures } from './failure.ts'
import { LINK_LIMIT, partsOf } from './links.ts'
import { sendMeter } from './metrics.ts'
import { outgoing } from './outgoing.ts'
import { injectContext, type Propagate } from './propagation.ts'
import { sendSpans } from './send.ts'
import { withSpan } from './tracer.ts'

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
  /**
   * Several messages in one call: a `create` span each, whose context the message carries, and one `send` span that
   * links to all of them. False: a `send` span each. Default true.
   */
  readonly createSpans?: boolean
  /** Header that carries the trace id as a correlation id, in place of any that was there: `correlation_id`. Default none. */
  readonly correlationHeader?: string
  /** What spans carry of messages themselves. Default nothing. */
  readonly capture?: CaptureOptions
}

/** One message on its way. */
interface Sent {
  readonly message: Message
  readonly span: Span
  readonly context: Context
  readonly startMs: number
}

/**
 * Publisher with one PRODUCER span a message, `{send|publish} {destination}`, from before the message is handed to the
 * driver until its own confirmation, or `create` spans and one CLIENT span for several in one call (messaging
 * conventions 1.44). Each message sent carries the context of its own PRODUCER span.
 */
export function tracePublisher(
  publisher: Publisher,
  transport: Transport<never, never>,
  telemetry: PublishTelemetry,
): Publisher {
  const { template, createSpans = true, propagate = 'all' } = telemetry
  const spans = sendSpans(transport, publisher, telemetry)
  const meter = sendMeter(transport, publisher, template)
  const prepare = outgoing(transport, telemetry)

  async function publishEach(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const active = contexts.active()
    const sends = messages.map((message): Sent => {
      const parent = message.context ?? active
      const startMs = unixMs()
      const span = spans.message(message, parent, startMs)
      return { message, span, context: withSpan(parent, span), startMs }
    })
    const prepared = sends.map(({ message, span, context, startMs }) =>
      prepare(message, span, context, startMs),
    )
    let results: readonly PublishResult[]
    try {
      results = await publisher.publish(prepared)
    } catch (cause) {
      results = brokenDriver(messages, cause)
    }
    const endMs = unixMs()
    sends.forEach(({ message, span, context, startMs }, index) => {
      const result = results[index]
      if (result !== undefined) {
        spans.confirm(span, result, endMs)
        meter.sent(message, result, context)
        meter.took(endMs - startMs, message, result.ok ? undefined : result.error, context)
      }
      span.end(endMs)
    })
    return results
  }

  async function publishBatch(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const active = contexts.active()
    const startMs = unixMs()
    const created = messages.map((message): Sent => {
      const parent = message.context ?? active
      const span = spans.create(message, parent, unixMs())
      return { message, span, context: withSpan(parent, span), startMs }
    })
    const prepared = created.map(({ message, span, context }) => {
      const ready = prepare(message, span, context, startMs)
      span.end(unixMs())
      return ready
    })
    const destination = sharedDestination(messages)
    const parts = partsOf(created, LINK_LIMIT)
    const sends = parts.map((part, index) => {
      const links = part.map(({ span }) => ({ context: span.spanContext() }))
      const place = {
        destination: destination ?? publisher.destination,
        part: index + 1,
        parts: parts.length,
      }
      return spans.batch({ links, ...place }, active, startMs)
    })
    const [send] = sends
    const hop =
      send === undefined || sends.length > 1
        ? undefined
        : injectContext(trace.setSpan(active, send), [], propagate)
    let results: readonly PublishResult[]
    try {
      results = await publisher.publish(prepared, hop)
    } catch (cause) {
      results = brokenDriver(messages, cause)
    }
    const endMs = unixMs()
    const errors = results.map((result) => (result.ok ? undefined : result.error))
    for (const [index, { message, context }] of created.entries()) {
      const result = results[index]
      if (result !== undefined) meter.sent(message, result, context)
    }
    for (const [index, span] of sends.entries()) {
      recordFailures(span, errors.slice(index * LINK_LIMIT, (index + 1) * LINK_LIMIT), endMs)
      span.end(endMs)
    }
    const first = errors.find((error) => error !== undefined)
    meter.took(endMs - startMs, destination === undefined ? undefined : messages[0], first, active)
    return results
  }

  /** Where all messages go; undefined where they differ. */
  function sharedDestination(messages: readonly Message[]): string | undefined {
    const first = messages[0]?.destination ?? publisher.destination
    return messages.every(({ destination = publisher.destination }) => destination === first)
      ? first
      : undefined
  }

  return {
    destination: publisher.destination,
    open: () => publisher.open(),
    publish: (messages) =>
      createSpans && messages.length > 1 ? publishBatch(messages) : publishEach(messages),
    close: () => publisher.close(),
  }
}

/** A driver that breaks its contract and rejects must leave no span open: each message is its own failure. */
function brokenDriver(messages: readonly Message[], cause: unknown): readonly PublishResult[] {
  const error = new UnavailableError(`the driver failed: ${errorMessage(cause)}`, { cause })
  return messages.map(() => ({ ok: false, error }))
}
