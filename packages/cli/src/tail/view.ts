import type { Attributes } from '@opentelemetry/api'
import {
  type Binding,
  type CloudEvent,
  type ContentMode,
  type Delivery,
  type Header,
  headerText,
  isContextHeader,
  type Message,
  type MessageProperties,
  type Position,
  SENT_AT_HEADER,
  ThroughlineError,
  type Transport,
} from '@throughline/core'
import { contextOf, type SeenContext, type SeenSpan, spanOf } from './context.ts'

/** A message as `tail` shows it: what it says, taken apart. Plain data, nothing escaped. */
export interface View {
  /** The broker's or record's time, else when it was read here; Unix milliseconds. */
  readonly timeMs: number
  readonly position: Position
  readonly key?: string | Uint8Array
  /** From the start of the send, as the message says it, until it was read here. Negative is clock skew. */
  readonly queueMs?: number
  readonly event?: CloudEvent
  readonly mode?: ContentMode
  /** Why what says that it is an event is none. */
  readonly invalidEvent?: string
  readonly context: SeenContext
  /** The CloudEvents `traceparent` extension: the trace in which the event was created. */
  readonly origin?: SeenSpan
  /** Those that are neither context nor attribute of the event. */
  readonly headers: readonly Header[]
  readonly contentType?: string
  readonly properties?: MessageProperties
  /** Of the transport alone: quality of service, retained. */
  readonly attributes: Attributes
  /** An event's data, or the body of what is none: bytes, or a JSON value of a structured event. Undefined for none. */
  readonly data: unknown
}

/** @param nowMs When it was read, Unix milliseconds. */
export function viewOf(
  delivery: Delivery,
  { binding, attributes }: Pick<Transport<never, never>, 'binding' | 'attributes'>,
  nowMs: number,
): View {
  const { message, position } = delivery
  const { headers, key, contentType, properties } = message
  const decoded = decode(message, binding)
  const names = namesOfAttributes(decoded.event, binding)
  const mode = decoded.event === undefined ? undefined : modeOf(headers, names)
  const origin = spanOf(decoded.event?.traceparent)
  const queueMs = queueTime(headers, nowMs)
  return {
    timeMs: position.timestampMs ?? nowMs,
    position,
    ...(key === undefined ? {} : { key }),
    ...(queueMs === undefined ? {} : { queueMs }),
    ...decoded,
    ...(mode === undefined ? {} : { mode }),
    context: contextOf(headers),
    ...(origin === undefined ? {} : { origin }),
    headers: headers.filter(([name]) => !isShownElsewhere(name.toLowerCase(), names)),
    ...(contentType === undefined ? {} : { contentType }),
    ...(properties === undefined ? {} : { properties }),
    attributes: attributes.delivered(delivery),
    data: mode === 'structured' ? decoded.event?.data : (message.body ?? undefined),
  }
}

function decode(message: Message, binding: Binding): Pick<View, 'event' | 'invalidEvent'> {
  if (!binding.isEvent(message)) return {}
  try {
    return { event: binding.decode(message) }
  } catch (error) {
    if (error instanceof ThroughlineError) return { invalidEvent: error.message }
    throw error
  }
}

/** The headers in which binary mode would have the event's attributes, in lower case. */
function namesOfAttributes(event: CloudEvent | undefined, binding: Binding): ReadonlySet<string> {
  if (event === undefined) return new Set()
  const { headers } = binding.encode({ ...event, data: undefined }, { mode: 'binary' })
  return new Set(headers.map(([name]) => name.toLowerCase()))
}

function modeOf(headers: readonly Header[], names: ReadonlySet<string>): ContentMode {
  return headers.some(([name]) => names.has(name.toLowerCase())) ? 'binary' : 'structured'
}

function isShownElsewhere(name: string, names: ReadonlySet<string>): boolean {
  return names.has(name) || name === SENT_AT_HEADER || isContextHeader(name)
}

function queueTime(headers: readonly Header[], nowMs: number): number | undefined {
  const sentAt = headerText(headers, SENT_AT_HEADER)
  return sentAt !== null && /^\d{1,16}$/.test(sentAt)
    ? Math.round(nowMs * 1000 - Number(sentAt)) / 1000
    : undefined
}
