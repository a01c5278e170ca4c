import { type Context, isValidTraceId, type Span, trace } from '@opentelemetry/api'
import type { Transport } from '../contract.ts'
import { STRUCTURED_JSON } from '../json.ts'
import type { Header, Message } from '../message.ts'
import { SENT_AT_HEADER } from './headers.ts'
import { injectContext } from './propagation.ts'
import type { PublishTelemetry } from './publisher.ts'
import { traceparentOf } from './traceparent.ts'

/**
 * Makes messages ready to be sent: `context` replaces the hop context that they had, `startMs` says when the send began.
 * The message given is not changed.
 */
export function outgoing(
  { binding }: Pick<Transport<never, never>, 'binding'>,
  { propagate = 'all', origin = false, correlationHeader }: PublishTelemetry,
): (message: Message, span: Span, context: Context, startMs: number) => Message {
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
    const encoded = binding.encode(
      { ...event, traceparent: traceparentOf(span.spanContext()) },
      { mode, ...(key === undefined ? {} : { key }) },
    )
    return { ...message, ...encoded }
  }

  /** Without an SDK there is no trace id, and one that the message had stays. */
  function correlated(headers: Header[], span: Span): Header[] {
    const { traceId } = span.spanContext()
    if (correlationHeader === undefined || !isValidTraceId(traceId)) return headers
    const wanted = correlationHeader.toLowerCase()
    const kept = headers.filter(([name]) => name.toLowerCase() !== wanted)
    kept.push([correlationHeader, traceId])
    return kept
  }

  return (message, span, context, startMs) => {
    const sent = withOrigin(message, span)
    const headers = injectContext(context, sent.headers, propagate)
    const kept = headers.filter(([name]) => name !== SENT_AT_HEADER)
    kept.push([SENT_AT_HEADER, String(Math.round(startMs * 1000))])
    return { ...sent, headers: correlated(kept, span) }
  }
}
