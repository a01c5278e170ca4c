import { context as contexts, trace } from '@opentelemetry/api'
import type { ContentMode } from '../binding.ts'
import type { Publisher, PublishResult, Transport } from '../contract.ts'
import { errorMessage, UnavailableError } from '../errors.ts'
import type { Message } from '../message.ts'
import type { CaptureOptions } from './capture.ts'
import { unixMs } from './clock.ts'
import { outgoing } from './outgoing.ts'
import { injectContext, type Propagate } from './propagation.ts'
import { sendTracer } from './sending.ts'

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
  const { createSpans = true, propagate = 'all' } = telemetry
  const tracer = sendTracer(transport, publisher, telemetry)
  const prepare = outgoing(transport, telemetry)

  async function publishEach(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const active = contexts.active()
    const sends = messages.map((message) => tracer.start(message, active))
    const prepared = sends.map(prepare)
    let results: readonly PublishResult[]
    try {
      results = await publisher.publish(prepared)
    } catch (cause) {
      results = brokenDriver(messages, cause)
    }
    const endMs = sends.length > 1 ? unixMs() : undefined
    sends.forEach((each, index) => {
      tracer.end(each, results[index], endMs)
    })
    return results
  }

  async function publishBatch(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const active = contexts.active()
    const prepared: Message[] = []
    const batch = tracer.startBatch(messages, active, (created) => void prepared.push(prepare(created)))
    const [send] = batch.sends
    const hop =
      send === undefined || batch.sends.length > 1
        ? undefined
        : injectContext(trace.setSpan(active, send), [], propagate)
    let results: readonly PublishResult[]
    try {
      results = await publisher.publish(prepared, hop)
    } catch (cause) {
      results = brokenDriver(messages, cause)
    }
    tracer.endBatch(batch, results, unixMs())
    return results
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
