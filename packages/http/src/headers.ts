import { type Header, type HeaderValue, type Message, PermanentError } from '@throughline/core'
import { percentEncode } from './binding.ts'

/** Headers that describe one connection or one body's framing (RFC 9110 §7.6.1); each side writes its own. */
const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// What may not stand in a field value, or would be trimmed from its ends (RFC 9110 §5.5).
const HAS_NO_TEXT = /[^\x20-\x7e]|^ | $/
const NO_TEXT = /[^\x20-\x7e]+|^ +| +$/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
const NOT_ASCII = /[^\x00-\x7f]/
const CONTENT_TYPE = 'content-type'
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** True when HTTP can have a header of this name (RFC 9110 §5.1). */
export function isHeaderName(name: string): boolean {
  return TOKEN.test(name)
}

/** True for a header of the connection or the framing, which each side writes for itself. */
export function isConnectionHeader(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase())
}

/** Headers as node:http takes them. Not its flat array, which instrumentations of it mangle. */
export type RequestHeaders = Record<string, string | string[]>

/** No name is met in it, as in `Object.create(null)`, of which V8 would make a slow dictionary. */
const NO_HEADERS: RequestHeaders = Object.freeze(Object.create(null))

/**
 * A message's headers for a request, and those of `defaults` of which the message has none. What is not printable ASCII
 * is percent-encoded, so that any value can be carried. Throws PermanentError for a name that HTTP cannot have.
 */
export function requestHeaders(message: Message, defaults: readonly Header[]): RequestHeaders {
  const { contentType } = message
  const headers: RequestHeaders = Object.create(NO_HEADERS)
  /** Names that were first written in other letters, by their lower case. */
  let spellings: Map<string, string> | undefined
  const spelled = (name: string, lower: string) =>
    lower in headers ? lower : (spellings?.get(lower) ?? name)
  const add = (name: string, lower: string, value: HeaderValue) => {
    const known = spelled(name, lower)
    if (known !== lower) {
      spellings ??= new Map()
      spellings.set(lower, known)
    }
    const before = headers[known]
    headers[known] = before === undefined ? fieldValue(value) : [before, fieldValue(value)].flat()
  }
  for (const [name, value] of message.headers) {
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || (lower === CONTENT_TYPE && contentType !== undefined)) continue
    if (!isHeaderName(name)) {
      throw new PermanentError(
        `header ${JSON.stringify(name.slice(0, 64))} has a name that HTTP cannot carry`,
      )
    }
    add(name, lower, value)
  }
  if (contentType !== undefined) add(CONTENT_TYPE, CONTENT_TYPE, contentType)
  for (const [name, value] of defaults) {
    const lower = name.toLowerCase()
    if (!(spelled(name, lower) in headers)) add(name, lower, value)
  }
  return headers
}

function fieldValue(value: HeaderValue): string {
  if (typeof value === 'string') {
    return HAS_NO_TEXT.test(value) ? value.replace(NO_TEXT, (run) => percentEncode(Buffer.from(run))) : value
  }
  try {
    return fieldValue(utf8.decode(value))
  } catch {
    return percentEncode(value)
  }
}

/** A received request's headers in order, from node:http's flat array. `content-type` is the message's own. */
export function messageHeaders(rawHeaders: readonly string[]): Header[] {
  const headers: Header[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (isMessageHeader(name)) headers.push([name, readFieldValue(rawHeaders[i + 1] ?? '')])
  }
  return headers
}

/** The same from names and values. */
export function fieldHeaders(fields: Iterable<readonly [name: string, value: string]>): Header[] {
  const headers: Header[] = []
  for (const [name, value] of fields) {
    if (isMessageHeader(name)) headers.push([name, readFieldValue(value)])
  }
  return headers
}

/** HTTP/2's own (`:path`) are no headers of the message. */
function isMessageHeader(name: string): boolean {
  const isContentType = name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE
  return !isContentType && !name.startsWith(':')
}

/** Node reads header bytes as Latin-1; senders that do not encode mostly write UTF-8. What is not UTF-8 stays Latin-1. */
export function readFieldValue(value: string): string {
  if (!NOT_ASCII.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}
