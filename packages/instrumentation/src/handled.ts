import { type Context, createContextKey, type SpanContext } from '@opentelemetry/api'
import { type Header, textOf } from '@throughline/core'
import { layered, parseTraceparent } from '@throughline/core/tracing'
import { contextInHands } from './in-hands.ts'

/** Key of what is being handled in a context. */
const HANDLED = createContextKey('throughline handled hop')

/**
 * What is being handled: the hop context of one message, or the contexts to act in on behalf of each message of a batch,
 * by the span ids of their hop contexts.
 */
type Handled = SpanContext | ReadonlyMap<string, Context>

/** A context in which messages that arrived so are handled: by it headers that are copied to a new message are known. */
export function withHandled(context: Context, handled: Handled | undefined): Context {
  return handled === undefined ? context : layered(context).setValue(HANDLED, handled)
}

/** What the application has said by a message's own headers of the context that it belongs to. */
export interface GivenContext {
  /** One that the application has put on it itself, which it keeps (messaging conventions 1.44, custom creation context). */
  readonly created?: SpanContext | undefined
  /** The message of a batch or a loop whose headers were copied: this one is sent on its behalf. */
  readonly behalf?: Context | undefined
  /** Its headers were copied from a message being handled. */
  readonly isCopied?: boolean
}

export const NONE_GIVEN: GivenContext = {}
const COPIED: GivenContext = { isCopied: true }

/** A context that was copied with the headers of a message being handled was not made for this one, which is its next hop. */
export function givenContext(headers: readonly Header[], active: Context): GivenContext {
  for (const [name, value] of headers) {
    if (name.length !== 'traceparent'.length || name.toLowerCase() !== 'traceparent') continue
    const created = parseTraceparent(textOf(value))
    if (created === undefined) return NONE_GIVEN
    // Only withHandled has the key.
    const handled = active.getValue(HANDLED) as Handled | undefined
    if (handled === undefined) {
      const behalf = contextInHands(created.spanId)
      return behalf === undefined ? { created } : { behalf, isCopied: true }
    }
    if (!('spanId' in handled)) {
      const behalf = handled.get(created.spanId)
      return behalf === undefined ? { created } : { behalf, isCopied: true }
    }
    return handled.spanId === created.spanId ? COPIED : { created }
  }
  return NONE_GIVEN
}
