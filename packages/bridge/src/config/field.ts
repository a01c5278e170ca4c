import { z } from 'zod'
import { parseTemplate, type Template } from '../template.ts'
import { DURATION, DURATION_RANGE, durationMs, durationRangeMs } from './duration.ts'

/**
 * The kinds of values that a configuration has. Every one says in its `error` what was expected, as the rest of a
 * sentence; what was found instead and where is added by the reader. Numbers and booleans are also read from text,
 * because that is what a variable of the environment gives.
 */

/** A text that `faultOf` finds nothing wrong with; the fault is the end of the sentence "which …". */
export function text(expected: string, faultOf: (value: string) => string | null = () => null) {
  return z
    .string({ error: `expected ${expected}` })
    .min(1, { error: `expected ${expected}` })
    .check((context) => {
      const fault = faultOf(context.value)
      if (fault !== null) {
        context.issues.push({
          code: 'custom',
          input: context.value,
          message: `${fault}; expected ${expected}`,
        })
      }
    })
}

/** A text of a form, given as a pattern that editors check too. */
export function pattern(expected: string, form: RegExp) {
  return z.string({ error: `expected ${expected}` }).regex(form, { error: `expected ${expected}` })
}

export function integer(least: number, most: number) {
  const error = `expected a whole number from ${least} to ${most}`
  const number = z.int({ error }).min(least, { error }).max(most, { error })
  const digits = z.string({ error }).regex(/^\d{1,9}$/, { error })
  return z.union([number, digits.transform(Number).pipe(number)], { error })
}

export function flag() {
  const error = 'expected true or false'
  return z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')], { error })
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  const last = words.at(-1)
  const list = words.length === 1 ? last : `${words.slice(0, -1).join(', ')} or ${last}`
  return z.enum(words, { error: `expected ${list}` })
}

/** A list, or one text with commas. */
export function listOf(item: z.ZodType<string, string>, expected: string, least = 1) {
  const error = `expected ${expected}: a list, or one text with commas`
  const commas = z.string().transform((value) =>
    value
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  )
  return z.union([commas, z.array(z.string({ error }))], { error }).pipe(z.array(item).min(least, { error }))
}

/** A text with `{{ … }}`, parsed. What is constant in it is checked now, what is not when it is rendered. */
export function template(expected: string, faultOf: (template: Template) => string | null = () => null) {
  return z
    .string({ error: `expected ${expected}` })
    .min(1, { error: `expected ${expected}` })
    .transform((source, context): Template => {
      const parsed = parsedTemplate(source)
      const fault = typeof parsed === 'string' ? parsed : faultOf(parsed)
      if (fault === null && typeof parsed !== 'string') return parsed
      context.issues.push({ code: 'custom', input: source, message: `${fault}; expected ${expected}` })
      return z.NEVER
    })
}

function parsedTemplate(source: string): Template | string {
  try {
    return parseTemplate(source)
  } catch (error) {
    if (error instanceof SyntaxError) return error.message
    throw error
  }
}

/** In milliseconds; at least `least`. */
export function duration(least = '0ms') {
  const atLeast = durationMs(least) === 0 ? '' : ` of at least ${least}`
  const expected = `a duration${atLeast}, such as 200ms, 5s, 2m or 1h`
  return pattern(expected, DURATION).transform((value, context) => {
    const ms = durationMs(value)
    const message = `is too short; expected ${expected}`
    if (ms < durationMs(least)) context.issues.push({ code: 'custom', input: value, message })
    return ms
  })
}

export function durationRange() {
  const expected = 'two durations, the least first, such as 200ms..30s'
  return pattern(expected, DURATION_RANGE).transform((value, context) => {
    const range = durationRangeMs(value)
    if (range.minMs > range.maxMs) {
      const message = `has the longer one first; expected ${expected}`
      context.issues.push({ code: 'custom', input: value, message })
    }
    return range
  })
}

/** Where a server listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function address() {
  const expected = 'an address such as 127.0.0.1:8081 (0.0.0.0:8081 for every interface)'
  return pattern(expected, /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/).transform(
    (value, context): Address => {
      const colon = value.lastIndexOf(':')
      const port = Number(value.slice(colon + 1))
      if (port > 65_535)
        context.issues.push({ code: 'custom', input: value, message: `expected ${expected}` })
      return { host: value.slice(0, colon).replace(/^\[|\]$/g, ''), port }
    },
  )
}

/** What is wrong with an absolute URL of one of these schemes; the fault never quotes it, it may hold a password. */
export function faultOfUrl(value: string, schemes: readonly string[]): string | null {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null) return 'is no URL'
  if (!schemes.includes(url.protocol)) return `has the scheme ${url.protocol}`
  return url.hostname === '' ? 'has no host' : null
}
