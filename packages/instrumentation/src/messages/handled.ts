import { type Context, createContextKey, type SpanContext } from '@opentelemetry/api'
import { type Header, textOf } from '@throughline/core'
import { layered, parseTraceparent } from '@throughline/core/tracing'
import { contextInHands } from './in-hands.ts'

/** Key of what is being handled in a context. */
const HANDLED = createContextKey('throughline handled hop')

/** One message that is being handled. */
export interface HandledMessage {
  /** The context that it arrived with. */
  readonly hop: SpanContext
  readonly headers: readonly Header[]
}

/** What is being handled: one message, or the contexts to act in on behalf of each of a batch, by the span ids of their hops. */
type Handled = HandledMessage | ReadonlyMap<string, Context>

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
  /** The message being handled whose headers were copied. */
  readonly copied?: HandledMessage | undefined
}

export const NONE_GIVEN: GivenContext = {}

/** A context that was copied with the headers of a message being handled was not made for this one, which is its next hop. */
export function givenContext(headers: readonly Header[], active: Context): GivenContext {
  for (const [name, value] of headers) {
    if (name.length !== 'traceparent'.length || name.toLowerCase() !== 'traceparent') continue
    const created = parseTraceparent(textOf(value))
    if (created === undefined) return NONE_GIVEN
    const handled = handledIn(active)
    if (handled !== undefined && 'hop' in handled)
      return handled.hop.spanId === created.spanId ? { copied: handled } : { created }
    const behalf = handled === undefined ? contextInHands(created.spanId) : handled.get(created.spanId)
    if (behalf === undefined) return { created }
    const copied = handledIn(behalf)
    return copied !== undefined && 'hop' in copied ? { behalf, copied } : { behalf }
  }
  return NONE_GIVEN
}

/** Only withHandled has the key. */
const handledIn = (context: Context) => context.getValue(HANDLED) as Handled | undefined
