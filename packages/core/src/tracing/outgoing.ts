import { isValidTraceId, type Span, trace } from '@opentelemetry/api'
import type { Transport } from '../contract.ts'
import { STRUCTURED_JSON } from '../json.ts'
import type { Header, Message } from '../message.ts'
import { microsText } from './clock.ts'
import { SENT_AT_HEADER } from './headers.ts'
import { injectedSpan } from './propagation.ts'
import type { PublishTelemetry } from './publisher.ts'
import type { Sent } from './sending.ts'
import { traceparentOf } from './traceparent.ts'

/**
 * Makes messages ready to be sent: their new context replaces the hop context that they had, and they say when the send
 * began. The message given is not changed.
 */
export function outgoing(
  { binding }: Pick<Transport<never, never>, 'binding'>,
  { propagate = 'all', origin = false, correlationHeader }: PublishTelemetry,
): (sent: Sent) => Message {
  function withOrigin(message: Message, span: Span): Message {
    const { event, key } = message
    if (event === undefined || 'traceparent' in event || !trace.isSpanContextValid(span.spanContext()))
      return message
    // The message's own mode, which may be another one than the publisher's.
    const mode = message.contentType?.startsWith(STRUCTURED_JSON) ? 'structured' : 'binary'
    const encoded = binding.encode(
      { ...event, traceparent: traceparentOf(span.spanContext()) },
      { mode, ...(key === undefined ? {} : { key }) },
    )
    return { ...message, ...encoded }
  }

  const correlation = correlationHeader?.toLowerCase()

  return ({ message, span, parent, startMs }) => {
    const sent = origin ? withOrigin(message, span) : message
    const injected = injectedSpan(parent, span, propagate)
    // Without an SDK there is no trace id, and a correlation id that the message had stays.
    const traceId = correlation === undefined ? undefined : validTraceId(span)
    const headers: Header[] = []
    for (const header of sent.headers) {
      const name = header[0].toLowerCase()
      const replaced =
        name === SENT_AT_HEADER ||
        injected.replaces.has(name) ||
        (traceId !== undefined && name === correlation)
      if (!replaced) headers.push(header)
    }
    for (const header of injected.headers) headers.push(header)
    headers.push([SENT_AT_HEADER, microsText(startMs)])
    if (traceId !== undefined && correlationHeader !== undefined) headers.push([correlationHeader, traceId])
    return { ...sent, headers }
  }
}

function validTraceId(span: Span): string | undefined {
  const { traceId } = span.spanContext()
  return isValidTraceId(traceId) ? traceId : undefined
}
