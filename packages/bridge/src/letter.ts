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
    const { key, context } = message
    return {
      ...(event === undefined ? asItCame(came) : inBinding(event, came)),
      // Facts are the reason's own words: the target's rules for values hold for them too.
      ...(key === undefined ? {} : { key }),
      ...(context === undefined ? {} : { context }),
    }

    function inBinding(letter: CloudEvent, from: Message): Message {
      const mode = modeOf(from, source.system) ?? 'structured'
      const encoded = encode(letter, from, source.system, target.binding, mode)
      const { headers, properties } = passOn(from, rules)
      return {
        ...encoded,
        headers: [...encoded.headers, ...headers, ...written(facts)],
        event: letter,
        ...(properties === undefined ? {} : { properties }),
      }
    }

    function asItCame(from: Message): Message {
      const { headers, properties } = passOn(from, { ...rules, raw: true })
      return {
        ...rawOf(from),
        headers: [...headers, ...written(facts)],
        ...(properties === undefined ? {} : { properties }),
      }
    }
  }

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
