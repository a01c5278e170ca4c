import {
  type Binding,
  type CloudEvent,
  type ContentMode,
  extractContext,
  type Header,
  type Message,
  ThroughlineError,
} from '@throughline/core'
import { CommandError, exitCodes } from '../failure.ts'
import type { Data } from './data.ts'
import { eventOf, eventOfLine, type GivenAttributes } from './event.ts'
import type { Line } from './lines.ts'

/** What all messages of one call have in common. */
export interface Template {
  readonly raw: boolean
  readonly mode: ContentMode
  readonly attributes: GivenAttributes
  readonly key?: string
  readonly contentType?: string
  readonly headers: readonly Header[]
  /** The hop context that they continue. */
  readonly context: readonly Header[]
}

/** A message to send, and where it comes from: `events.ndjson:3`. */
export interface Outgoing {
  readonly message: Message
  readonly from: string
}

/** `count` messages with the same data; each event has an id of its own. Throws CommandError for an event that is not valid. */
export function* repeated(
  template: Template,
  binding: Binding,
  data: Data | undefined,
  count: number,
): Generator<Outgoing> {
  const { attributes, raw } = template
  for (let number = 1; number <= count; number++) {
    const from = count === 1 ? '' : `${number} of ${count}`
    const { id } = attributes
    const given = id === undefined || count === 1 ? attributes : { ...attributes, id: `${id}-${number}` }
    yield valid(from, () =>
      raw ? rawMessage(template, data) : eventMessage(template, binding, eventOf(given, data)),
    )
  }
}

/** A message a line: an event in JSON, or the line itself where `raw`. Throws CommandError for a line that is not valid. */
export async function* fromLines(
  template: Template,
  binding: Binding,
  lines: AsyncIterable<Line>,
  file: string,
): AsyncGenerator<Outgoing> {
  for await (const { number, bytes } of lines) {
    yield valid(`${file}:${number}`, () =>
      template.raw
        ? rawMessage(template, { bytes, guessedType: 'text/plain' })
        : eventMessage(template, binding, eventOfLine(template.attributes, bytes)),
    )
  }
}

function valid(from: string, make: () => Message): Outgoing {
  try {
    return { message: make(), from }
  } catch (error) {
    if (!(error instanceof ThroughlineError)) throw error
    const message = from === '' ? error.message : `${from}: ${error.message}`
    throw new CommandError(error.code, message, exitCodes.usage, { cause: error })
  }
}

function eventMessage(template: Template, binding: Binding, event: CloudEvent): Message {
  const { mode, key, headers } = template
  const message = binding.encode(event, { mode, ...(key === undefined ? {} : { key }) })
  return inContext({ ...message, headers: [...message.headers, ...headers] }, template)
}

function rawMessage(template: Template, data: Data | undefined): Message {
  const { key, headers, contentType = data?.guessedType } = template
  const message = {
    body: data?.bytes ?? null,
    headers,
    ...(contentType === undefined ? {} : { contentType }),
    ...(key === undefined ? {} : { key }),
  }
  return inContext(message, template)
}

/** In the headers for where there is no SDK: with one they are replaced by those of the send span, its child. */
function inContext(message: Message, { context }: Template): Message {
  if (context.length === 0) return message
  return {
    ...message,
    headers: [...message.headers, ...context],
    context: extractContext(context).context,
  }
}
