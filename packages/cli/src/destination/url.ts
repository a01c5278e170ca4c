import { usage } from './problem.ts'

/**
 * A destination's URL in its parts, percent-decoded. Not read by `URL`, which takes one host only and ends a path at `#`,
 * the wildcard of MQTT.
 */
export interface DestinationUrl {
  /** In lower case: `kafka`. */
  readonly scheme: string
  readonly user: string | undefined
  readonly password: string | undefined
  /** `host:port`, or several with commas between. */
  readonly authority: string
  /** Without the slash before it. */
  readonly path: string
  /** What follows the `?`, as it is written. */
  readonly query: string
  /** Scheme, authority and path, for people: no user, no password, no options. */
  readonly text: string
}

// The last @ before the path ends the user info, so that a password with one is not taken for a host and printed.
const PARTS = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/is

/** Throws CommandError, in which nothing of the text stands that could be a secret. */
export function parseDestinationUrl(text: string): DestinationUrl {
  const [, scheme, userInfo, authority = '', path = '', query = ''] = PARTS.exec(text) ?? []
  if (scheme === undefined)
    throw usage('the destination is no URL: expected kafka://host:9092/topic or alike')
  const { user, password } = parseUserInfo(userInfo)
  const shown = `${scheme.toLowerCase()}://${authority}${path === '' ? '' : `/${path}`}`
  return {
    scheme: scheme.toLowerCase(),
    user,
    password,
    authority,
    path: decode(path),
    query,
    text: shown,
  }
}

function parseUserInfo(text: string | undefined): Pick<DestinationUrl, 'user' | 'password'> {
  if (text === undefined) return { user: undefined, password: undefined }
  const colon = text.indexOf(':')
  if (colon < 0) return { user: decode(text), password: undefined }
  return { user: decode(text.slice(0, colon)), password: decode(text.slice(colon + 1)) }
}

/** A stray `%` stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The options in the query. Throws CommandError for one that is not of `known`: a misspelt one would be left out without a word. */
export function optionsOf(
  { query, scheme }: DestinationUrl,
  known: readonly string[],
): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (const part of query.split('&').filter((each) => each !== '')) {
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    if (options.has(name)) throw usage(`the destination has the option ${JSON.stringify(name)} twice`)
    if (!known.includes(name)) {
      const expected = known.length === 0 ? `${scheme} has none` : `expected ${known.join(', ')}`
      throw usage(`the destination has an option ${JSON.stringify(name)} that is not known: ${expected}`)
    }
    options.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)))
  }
  return options
}

/** Whether a switch among the options is on: named, or `true`. Throws CommandError unless it is one of these, `false` or absent. */
export function isSwitchedOn(options: ReadonlyMap<string, string>, name: string): boolean {
  const value = options.get(name) ?? 'false'
  if (value === '' || value === 'true') return true
  if (value === 'false') return false
  throw usage(`${name} is to be true or false`)
}
