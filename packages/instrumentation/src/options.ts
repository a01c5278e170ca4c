import type { Span } from '@opentelemetry/api'
import type { InstrumentationConfig } from '@opentelemetry/instrumentation'
import type { CaptureOptions, ProcessTelemetry, Propagate } from '@throughline/core/tracing'

/** What a hook is told of a message beside its span. */
export interface MessageInfo {
  /** Topic, `exchange:routing key`, queue: as the span names it. */
  readonly destination: string
  /** The client's own message object, as the application or the client made it; not to be changed. */
  readonly message: unknown
}

/** Called with a span that records, before its message goes on. What it throws is a warning and goes no further; a promise is not waited for. */
export type MessageHook = (span: Span, info: MessageInfo) => void

/** Options of every client's instrumentation. */
export interface ClientInstrumentationConfig
  extends InstrumentationConfig,
    Pick<ProcessTelemetry, 'linkage' | 'trust' | 'delayAfterMs'> {
  /** What is written into the messages sent: all, all but baggage, or nothing. Default `all`. */
  readonly propagate?: Propagate
  /** Several messages in one call: a `create` span each and one `send` span linked to them; false: a `send` span each. Default true. */
  readonly createSpans?: boolean
  /** Header that carries the trace id as a correlation id: `correlation_id`. Default none. */
  readonly correlationHeader?: string
  /** What spans carry of messages themselves. Default nothing. */
  readonly capture?: CaptureOptions
  /** Low-cardinality name of a destination, `sensors/{id}/reading`; undefined for one that needs none. */
  readonly template?: (destination: string) => string | undefined
  /** Destinations that are left alone: their names, or patterns of them. */
  readonly ignore?: readonly (string | RegExp)[]
  /** Called with the span of a message that is sent: for attributes of one's own. */
  readonly producerHook?: MessageHook
  /** The same of a message that is handled, the first one of a batch. */
  readonly consumerHook?: MessageHook
}
