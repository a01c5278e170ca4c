import { attributeText, contextAttributes, textOf } from '@throughline/core'
import { CommandError, exitCodes } from '../failure.ts'
import type { View } from './view.ts'

/** Whether a message is shown. */
export type Filter = (view: View) => boolean

/**
 * `name=pattern`, where a `*` of the pattern stands for any text: an attribute of the event, or `key`, `traceid`,
 * `destination`. All have to match. Throws CommandError for what is none.
 */
export function filterOf(texts: readonly string[]): Filter {
  const conditions = texts.map(conditionOf)
  return (view) => conditions.every((matches) => matches(view))
}

function conditionOf(text: string): Filter {
  const [, name = '', pattern] = /^([A-Za-z0-9]+)=(.*)$/s.exec(text) ?? []
  if (pattern === undefined) {
    throw new CommandError(
      'TL_USAGE',
      '--filter expects name=pattern, such as type=com.example.*',
      exitCodes.usage,
    )
  }
  const matches = globOf(pattern)
  return (view) => {
    const value = valueIn(view, name)
    return value !== undefined && matches(value)
  }
}

/** In one pass, where a regular expression of several `.*` would take a stranger's long text for minutes. */
function globOf(pattern: string): (text: string) => boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return (text) => text === pattern
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let from = first.length
    for (const part of rest) {
      const at = text.indexOf(part, from)
      if (at < 0) return false
      from = at + part.length
    }
    return from + last.length <= text.length
  }
}

function valueIn({ event, key, context, position }: View, name: string): string | undefined {
  switch (name) {
    case 'key':
      return key === undefined ? undefined : textOf(key)
    case 'traceid':
      return context.span?.traceId
    case 'destination':
      return position.destination
    default: {
      if (event === undefined) return undefined
      if (name === 'datacontenttype') return event.datacontenttype
      const found = [...contextAttributes(event)].find(([attribute]) => attribute === name)
      return found === undefined ? undefined : attributeText(found[1])
    }
  }
}
