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
const NOT_TEXT = /[^\x20-\x7e]+|^ +| +$/g
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
export type RequestHeaders = Record<string, string[]>

/**
 * A message's headers for a request, and those of `defaults` of which the message has none. What is not printable ASCII
 * is percent-encoded, so that any value can be carried. Throws PermanentError for a name that HTTP cannot have.
 */
export function requestHeaders(message: Message, defaults: readonly Header[]): RequestHeaders {
  const { contentType } = message
  // Names as they were first written, by their lower case.
  const spelling = new Map<string, string>()
  const headers: RequestHeaders = Object.create(null)
  const add = (name: string, lower: string, value: HeaderValue) => {
    const spelled = spelling.get(lower) ?? name
    spelling.set(lower, spelled)
    headers[spelled] = [...(headers[spelled] ?? []), fieldValue(value)]
  }
  for (const [name, value] of message.headers) {
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || (lower === 'content-type' && contentType !== undefined)) continue
    if (!isHeaderName(name)) {
      throw new PermanentError(
        `header ${JSON.stringify(name.slice(0, 64))} has a name that HTTP cannot carry`,
      )
    }
    add(name, lower, value)
  }
  if (contentType !== undefined) add('content-type', 'content-type', contentType)
  for (const [name, value] of defaults) {
    const lower = name.toLowerCase()
    if (!spelling.has(lower)) add(name, lower, value)
  }
  return headers
}

function fieldValue(value: HeaderValue): string {
  if (typeof value === 'string') return value.replace(NOT_TEXT, (run) => percentEncode(Buffer.from(run)))
  try {
    return fieldValue(utf8.decode(value))
  } catch {
    return percentEncode(value)
  }
}

/** A received request's headers in order, from node:http's flat array. `content-type` is the message's own. */
export function messageHeaders(rawHeaders: readonly string[]): Header[] {
  const fields: [string, string][] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    fields.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? ''])
  return fieldHeaders(fields)
}

/** The same from names and values. HTTP/2's own (`:path`) are no headers of the message. */
export function fieldHeaders(fields: readonly (readonly [name: string, value: string])[]): Header[] {
  const headers: Header[] = []
  for (const [name, value] of fields) {
    if (name.startsWith(':') || name.toLowerCase() === 'content-type') continue
    headers.push([name, readFieldValue(value)])
  }
  return headers
}

/** Node reads header bytes as Latin-1; senders that do not encode mostly write UTF-8. What is not UTF-8 stays Latin-1. */
export function readFieldValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  if (/^[\x00-\x7f]*$/.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}
