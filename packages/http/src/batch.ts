import {
  decodeText,
  type Header,
  headerText,
  InvalidEventError,
  JSON_BATCH,
  JSON_BATCH_UTF8,
  joinJsonBatch,
  type Message,
  mediaTypeOf,
  parseJson,
  SENT_AT_HEADER,
  STRUCTURED_JSON_UTF8,
  splitJsonBatch,
  stringifyJson,
} from '@throughline/core'
import { TooManyEventsError } from './errors.ts'
import { sharedHeaders } from './gather.ts'

/**
 * A batch has one set of headers, and each of its events a hop context of its own. It rides in the event's JSON, under
 * names that are not those of CloudEvents' distributed tracing extension, which "MUST NOT carry trace information of
 * each individual hop", and is taken out where it arrives.
 */
const HOP_ATTRIBUTES = {
  traceparent: 'hoptraceparent',
  tracestate: 'hoptracestate',
  baggage: 'hopbaggage',
} as const
type HopHeader = keyof typeof HOP_ATTRIBUTES
type HopMember = readonly [name: HopHeader, value: string]
const HOP_HEADERS: readonly HopHeader[] = ['traceparent', 'tracestate', 'baggage']

const encoder = new TextEncoder()

/**
 * One request of structured messages that may share one (HTTP binding 1.0.2 §3.3). Contexts that differ go into the
 * events; the request's own is then `hop`, that of the call that sends all of them.
 */
export function batchOf(messages: readonly Message[], hop: readonly Header[]): Message {
  const contexts = messages.map(contextOf)
  const [shared = []] = contexts
  const same = contexts.every((context) => String(context) === String(shared))
  const [first] = messages
  const sentAt = first === undefined ? null : headerText(first.headers, SENT_AT_HEADER)
  const bodies = messages.map(({ body }, index) => {
    const bytes = body ?? new Uint8Array()
    return same ? bytes : withContext(bytes, contexts[index] ?? [])
  })
  return {
    body: joinJsonBatch(bodies),
    contentType: JSON_BATCH_UTF8,
    headers: [
      ...(first === undefined ? [] : sharedHeaders(first)),
      ...(same ? shared : hop),
      ...(sentAt === null ? [] : [[SENT_AT_HEADER, sentAt] as const]),
    ],
    ...(first?.destination === undefined ? {} : { destination: first.destination }),
  }
}

function contextOf({ headers }: Message): readonly HopMember[] {
  return HOP_HEADERS.flatMap((name) => {
    const value = headerText(headers, name)
    return value === null ? [] : [[name, value] as const]
  })
}

/** At the end of the object: of a name that is there twice the last one counts. */
function withContext(body: Uint8Array, context: readonly HopMember[]): Uint8Array {
  const end = Buffer.from(body.buffer, body.byteOffset, body.byteLength).lastIndexOf('}')
  return Buffer.concat([body.subarray(0, end), encoder.encode(endOf(context))])
}

function endOf(context: readonly HopMember[]): string {
  const members = context.map(([name, value]) => `,"${HOP_ATTRIBUTES[name]}":${JSON.stringify(value)}`)
  return `${members.join('')}}`
}

/**
 * A structured message for each event of a batch, none for an empty one; null for a message that is no JSON batch. An
 * event's own hop context takes the place of the request's. Throws TooManyEventsError.
 */
export function batchMessages(message: Message, maxEvents: number): readonly Message[] | null {
  const events = membersOf(message)
  if (events === null) return null
  if (events.length > maxEvents) throw new TooManyEventsError(events.length, maxEvents)
  const shared = message.headers.filter(([name]) => !isHopHeader(name))
  return events.map((event) => {
    const { body, context } = withoutContext(event)
    return {
      body,
      contentType: STRUCTURED_JSON_UTF8,
      headers: context.length === 0 ? message.headers : [...shared, ...context],
    }
  })
}

function membersOf({ contentType, body }: Message): readonly Uint8Array[] | null {
  if (contentType === undefined || mediaTypeOf(contentType) !== JSON_BATCH) return null
  try {
    return splitJsonBatch(body ?? new Uint8Array())
  } catch (error) {
    if (error instanceof InvalidEventError) return null
    throw error
  }
}

function isHopHeader(name: string): boolean {
  return Object.hasOwn(HOP_ATTRIBUTES, name.toLowerCase())
}

function withoutContext(event: Uint8Array): { body: Uint8Array; context: readonly Header[] } {
  if (!Buffer.from(event.buffer, event.byteOffset, event.byteLength).includes('"hop')) {
    return { body: event, context: [] }
  }
  const text = decodeText(event, 'body')
  const value = parseJson(text, 'body')
  if (!isRecord(value)) return { body: event, context: [] }
  const context = HOP_HEADERS.flatMap((name): HopMember[] => {
    const found = value[HOP_ATTRIBUTES[name]]
    return typeof found === 'string' ? [[name, found]] : []
  })
  if (context.length === 0) return { body: event, context }
  // As we write it it can be cut off, and the rest keeps its text.
  const end = endOf(context)
  const rest = text.endsWith(end) ? `${text.slice(0, -end.length)}}` : withoutMembers(value)
  return { body: encoder.encode(rest), context }
}

function withoutMembers(event: Readonly<Record<string, unknown>>): string {
  const names: readonly string[] = Object.values(HOP_ATTRIBUTES)
  return stringifyJson(Object.fromEntries(Object.entries(event).filter(([name]) => !names.includes(name))))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
