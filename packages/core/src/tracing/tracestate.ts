import type { TraceState } from '@opentelemetry/api'

/** W3C Trace Context level 2 §3.3.1.3.1 and §3.3.1.3.2. */
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const MAX_MEMBERS = 32

type Member = readonly [key: string, value: string]

/**
 * A `tracestate` by the letter of W3C Trace Context level 2 §3.3: optional white space, empty members, at most 32 of
 * the others. Null where it is not valid, which drops it whole; undefined where it has no member. Of a key that comes
 * twice the first counts, the one written last.
 */
export function parseTraceState(text: string): TraceState | null | undefined {
  const members = new Map<string, string>()
  let count = 0
  for (const part of text.split(',')) {
    const member = part.replaceAll(/^[ \t]+|[ \t]+$/g, '')
    if (member === '') continue
    const equals = member.indexOf('=')
    const key = member.slice(0, Math.max(equals, 0))
    const value = member.slice(equals + 1)
    if (++count > MAX_MEMBERS || !KEY.test(key) || !VALUE.test(value)) return null
    if (!members.has(key)) members.set(key, value)
  }
  return members.size === 0 ? undefined : traceStateOf([...members])
}

/** The API's own implementation knows level 1's keys alone and leaves out what is past 512 characters. */
function traceStateOf(members: readonly Member[]): TraceState {
  const without = (key: string) => members.filter(([name]) => name !== key)
  return {
    get: (key) => members.find(([name]) => name === key)?.[1],
    set(key, value) {
      if (!KEY.test(key) || !VALUE.test(value)) return this
      // A changed member moves to the front (§3.5); the last one makes room.
      return traceStateOf([[key, value] as const, ...without(key)].slice(0, MAX_MEMBERS))
    },
    unset: (key) => traceStateOf(without(key)),
    serialize: () => members.map(([key, value]) => `${key}=${value}`).join(','),
  }
}
