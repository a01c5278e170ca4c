import { type Context, type Span, type SpanContext, trace } from '@opentelemetry/api'
import type { Publisher, PublishResult, Transport } from '../contract.ts'
import type { Message } from '../message.ts'
import { unixMs } from './clock.ts'
import { recordFailures } from './failure.ts'
import { LINK_LIMIT, partsOf } from './links.ts'
import { sendMeter } from './metrics.ts'
import type { PublishTelemetry } from './publisher.ts'
import { APPLICATION, type Scope } from './scope.ts'
import { sendSpans } from './send.ts'
import { withSpan } from './tracer.ts'

/** One message on its way. */
export interface Sent {
  readonly message: Message
  readonly span: Span
  /** What the span was started under. */
  readonly parent: Context
  /** What the message is to carry: `parent` with the span. */
  readonly context: Context
  /** Unix milliseconds with a fraction. */
  readonly startMs: number
}

/** Messages of one call on their way: what each is to carry, and the spans of the call. */
export interface SentBatch {
  readonly created: readonly Sent[]
  /** One, or one for each part whose links a span can hold. */
  readonly sends: readonly Span[]
  readonly destination: string | undefined
  readonly active: Context
  readonly startMs: number
}

/** Starts and ends the spans of sends, and counts them. */
export interface SendTracer {
  /**
   * The span of one message's send, a child of the message's own context, else of `active`. `created`: the context that
   * the message carries already and keeps, which the span then links to.
   */
  start(message: Message, active: Context, created?: SpanContext): Sent
  /** Ends it with what became of the message; undefined where the driver said nothing. `endMs`: default now. */
  end(sent: Sent, result: PublishResult<Error> | undefined, endMs?: number): void
  /**
   * A `create` span a message, to be ended when it is ready, and the spans of the one call that sends them all.
   * `createdOf`: the context that a message carries already and keeps; it gets no span.
   */
  startBatch(
    messages: readonly Message[],
    active: Context,
    ready: (sent: Sent, index: number) => void,
    createdOf?: (index: number) => SpanContext | undefined,
  ): SentBatch
  /** Ends the spans of the call with what became of each message, in order. */
  endBatch(batch: SentBatch, results: readonly PublishResult<Error>[], endMs: number): void
}

/** The spans and metrics of one publisher's sends (messaging conventions 1.44). It sends nothing and changes no message. */
export function sendTracer(
  transport: Pick<Transport<never, never>, 'system' | 'sendOperation' | 'attributes'>,
  publisher: Pick<Publisher, 'destination' | 'attributes'>,
  telemetry: PublishTelemetry,
  scope: Scope = APPLICATION,
): SendTracer {
  const spans = sendSpans(transport, publisher, telemetry, scope)
  const meter = sendMeter(transport, publisher, telemetry.template, scope)

  /** Where all messages go; undefined where they differ. */
  function sharedDestination(messages: readonly Message[]): string | undefined {
    const first = messages[0]?.destination ?? publisher.destination
    return messages.every(({ destination = publisher.destination }) => destination === first)
      ? first
      : undefined
  }

  return {
    start(message, active, created) {
      const parent = message.context ?? active
      const startMs = unixMs()
      const span = spans.message(message, parent, startMs, created)
      return new Sending(message, span, parent, startMs)
    },

    end(sent, result, givenMs) {
      const { message, span, startMs } = sent
      const counts = meter.counts()
      if (!counts && !span.isRecording()) {
        span.end()
        return
      }
      const endMs = givenMs ?? unixMs()
      if (result !== undefined) {
        spans.confirm(span, result, endMs)
        if (counts) {
          meter.sent(message, result, sent.context)
          meter.took(endMs - startMs, message, result.ok ? undefined : result.error, sent.context)
        }
      }
      span.end(endMs)
    },

    startBatch(messages, active, ready, createdOf) {
      const startMs = unixMs()
      const created = messages.map((message, index): Sent => {
        const parent = message.context ?? active
        const own = createdOf?.(index)
        const span = own === undefined ? spans.create(message, parent, unixMs()) : trace.wrapSpanContext(own)
        return new Sending(message, span, parent, startMs)
      })
      for (const [index, sent] of created.entries()) {
        ready(sent, index)
        sent.span.end(unixMs())
      }
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
      return { created, sends, destination, active, startMs }
    },

    endBatch({ created, sends, destination, active, startMs }, results, endMs) {
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
      meter.took(endMs - startMs, destination === undefined ? undefined : created[0]?.message, first, active)
    },
  }
}

/** A class for the sake of its getter: a context is a copy of its parent's, and what neither counts nor injects by it needs none. */
class Sending implements Sent {
  readonly message: Message
  readonly span: Span
  readonly parent: Context
  readonly startMs: number
  #context: Context | undefined

  constructor(message: Message, span: Span, parent: Context, startMs: number) {
    this.message = message
    this.span = span
    this.parent = parent
    this.startMs = startMs
  }

  get context(): Context {
    this.#context ??= withSpan(this.parent, this.span)
    return this.#context
  }
}
