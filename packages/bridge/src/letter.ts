import {
  type CloudEvent,
  DEAD_LETTER_HEADERS,
  type DeadLetterPublisher,
  type EventPublisher,
  type Header,
  type Message,
} from '@throughline/core'
import { encode, modeOf, rawOf, type Side } from './forward.ts'
import { type HeaderRules, passHeaders, passOn } from './headers.ts'

export interface LetterOptions {
  readonly publisher: EventPublisher
  readonly source: Side
  readonly target: Side
  readonly rules: HeaderRules
}

const FACTS: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS))

/**
 * Publishes dead letters over another transport than they came by: an event in that transport's binding, in the mode it
 * came in; what is none as it came. The same headers pass as on the route itself, so that no secret of a request is kept.
 */
export function deadLetterPublisher({
  publisher,
  source,
  target,
  rules,
}: LetterOptions): DeadLetterPublisher {
  function translate(message: Message): Message {
    const isFact = ([name]: Header) => FACTS.has(name.toLowerCase())
    const facts = message.headers.filter(isFact)
    const came = { ...message, headers: message.headers.filter((header) => !isFact(header)) }
    const event = rules.raw ? undefined : eventOf(came)
    const letter = event === undefined ? rawOf(came) : inBinding(event, came)
    // What is no event keeps the headers that were to be its attributes, under the names they came by.
    const { headers, properties } = passOn(came, event === undefined ? { ...rules, raw: true } : rules)
    const { key, context } = message
    return {
      ...letter,
      headers: [...letter.headers, ...headers, ...written(facts)],
      ...(event === undefined ? {} : { event }),
      ...(properties === undefined ? {} : { properties }),
      ...(key === undefined ? {} : { key }),
      ...(context === undefined ? {} : { context }),
    }
  }

  function inBinding(event: CloudEvent, came: Message): Message {
    const mode = modeOf(came, source.system) ?? 'structured'
    return encode(event, came, source.system, target.binding, mode)
  }

  /** The reason is made of words that the target may not be able to carry as they are. */
  function written(facts: readonly Header[]): readonly Header[] {
    return passHeaders(facts, { ...rules, from: target.system, allowed: FACTS, raw: true }).headers
  }

  function eventOf(message: Message): CloudEvent | undefined {
    try {
      return source.binding.decode(message)
    } catch {
      // It is what was wrong with it: the reason header says so.
      return undefined
    }
  }

  return { publishMessages: (messages) => publisher.publishMessages(messages.map(translate)) }
}
