import { randomUUID } from 'node:crypto'
import { InvalidEventError } from './errors.ts'

/** A value of a context attribute (CloudEvents 1.0.2 §2.4): String, URI, URI-reference and Timestamp are strings. */
export type AttributeValue = string | number | boolean | Uint8Array

/**
 * A CloudEvents 1.0 event, in the shape of the CloudEvents SDK for JavaScript. `data` is whatever `datacontenttype`
 * says: a JSON value, a string for `text/*`, else bytes. Absent data is `undefined`; `null` is JSON's null.
 * Attributes keep their text: `time` is not reformatted, nothing is added.
 */
export interface CloudEvent<Data = unknown> {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  /** RFC 3339, with the fraction and offset that it came with. */
  readonly time?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  readonly data?: Data
  /** Extension attributes: names of `[a-z0-9]+`. */
  readonly [extension: string]: unknown
}

/** What a user gives to publish: `id` and `specversion` are filled in where absent, nothing else is. */
export type EventInput<Data = unknown> = Omit<CloudEvent<Data>, 'specversion' | 'id'> & {
  readonly type: string
  readonly source: string
  readonly id?: string
  readonly specversion?: '1.0'
  readonly data?: Data
  readonly [extension: string]: unknown
}

const REQUIRED = ['id', 'source', 'specversion', 'type'] as const
const ATTRIBUTE_NAME = /^[a-z0-9]+$/
// RFC 3339 date-time; ranges are checked apart, a leap second is legal.
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-](\d\d):(\d\d))$/
// RFC 2046 media type: type/subtype, optional parameters.
const MEDIA_TYPE = /^[\w!#$\&^.+\-]+\/[\w!#$\&^.+*\-]+ *(;[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]*)?$/v
// RFC 3986: any URI-reference is made of these characters; a URI begins with a scheme.
const URI_CHARACTERS =
  /^(?:[\w.~:\/?#\[\]@!$\&'\(\)*+,;=\-]|%[0-9A-Fa-f]{2}|[[\u{a0}-\u{10ffff}]--[\p{Cs}\p{Noncharacter_Code_Point}]])+$/v
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/
const INT32 = 2 ** 31
const MAX_REMEMBERED = 256
const MAX_REMEMBERED_LENGTH = 256
/** Sources and media types are few and come again with every event. */
const isUri = remembered(URI_CHARACTERS)
const isMediaType = remembered(MEDIA_TYPE)
// CloudEvents 1.0.2 §2.4 String: control characters, surrogates and noncharacters are disallowed.
const DISALLOWED = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u

/** A new, valid event. Fills in `id` (a random UUID) and `specversion`. Throws InvalidEventError. */
export function createEvent<Data>(input: EventInput<Data>): CloudEvent<Data> {
  const event = completeEvent(input)
  validateEvent(event)
  return event
}

/** The same for whoever validates it next: every binding does when it encodes. */
export function completeEvent<Data>(input: EventInput<Data>): CloudEvent<Data> {
  const event: Record<string, unknown> = { specversion: '1.0', id: undefined, ...input }
  if (event.specversion === undefined) event.specversion = '1.0'
  if (event.id === undefined) event.id = randomUUID()
  // A literal loses the named members of EventInput's index signature; they are those of the input.
  return event as unknown as CloudEvent<Data>
}

/**
 * Checks all context attributes of CloudEvents 1.0.2 §3. `data` is not looked at.
 * Throws InvalidEventError naming the first attribute at fault.
 */
export function validateEvent(event: Readonly<Record<string, unknown>>): asserts event is CloudEvent {
  for (const name of REQUIRED) {
    const value = event[name]
    if (value === undefined || value === null) fail(name, 'is required and missing')
    if (typeof value !== 'string') fail(name, `must be a string, is ${typeName(value)}`)
    if (value === '') fail(name, 'must not be empty')
  }
  if (event.specversion !== '1.0') fail('specversion', `must be 1.0, is ${quote(event.specversion)}`)
  for (const name in event) {
    const value = event[name]
    if (value !== undefined) checkAttribute(name, value)
  }
}

function checkAttribute(name: string, value: unknown): void {
  switch (name) {
    case 'specversion':
    case 'data':
      break
    case 'data_base64':
      // Taken as an attribute it would be lost in binary mode without a word.
      fail(name, 'is no attribute: bytes are given as data, in a Uint8Array', '§2.3')
      break
    case 'id':
    case 'type':
    case 'subject':
      checkString(name, value)
      break
    case 'source':
      checkUri(name, value, false)
      break
    case 'dataschema':
      checkUri(name, value, true)
      break
    case 'time':
      if (!isTimestamp(value)) fail(name, `must be an RFC 3339 timestamp, is ${quote(value)}`)
      break
    case 'datacontenttype':
      if (typeof value !== 'string' || !isMediaType(value))
        fail(name, `must be a media type, is ${quote(value)}`)
      break
    default:
      if (!ATTRIBUTE_NAME.test(name))
        fail(name, 'is no attribute name: lower-case letters and digits only', '§2.3')
      checkExtension(name, value)
  }
}

function checkString(name: string, value: unknown): void {
  if (typeof value !== 'string') fail(name, `must be a string, is ${typeName(value)}`)
  if (value === '') fail(name, 'must not be empty')
  if (DISALLOWED.test(value)) fail(name, `has a character that is not allowed: ${quote(value)}`, '§2.4')
}

function checkUri(name: string, value: unknown, absolute: boolean): void {
  if (typeof value !== 'string' || !isUri(value)) {
    fail(name, `must be a ${absolute ? 'URI' : 'URI-reference'}, is ${quote(value)}`)
  }
  if (absolute && !SCHEME.test(value)) fail(name, `must be an absolute URI, is ${quote(value)}`)
}

function checkExtension(name: string, value: unknown): void {
  switch (typeof value) {
    case 'string':
      if (DISALLOWED.test(value)) fail(name, `has a character that is not allowed: ${quote(value)}`, '§2.4')
      return
    case 'boolean':
      return
    case 'number':
      if (!Number.isInteger(value) || value < -INT32 || value >= INT32) {
        fail(name, `must be a 32-bit integer when it is a number, is ${value}`, '§2.4')
      }
      return
    default:
      if (value instanceof Uint8Array) return
      fail(name, `must be a string, boolean, integer or binary, is ${typeName(value)}`, '§2.4')
  }
}

/** Tests texts by a pattern and remembers those that matched: looking one up takes a seventh of the test's time. */
function remembered(pattern: RegExp): (text: string) => boolean {
  const matched = new Set<string>()
  return (text) => {
    if (matched.has(text)) return true
    if (!pattern.test(text)) return false
    // A stranger's texts may be many and long.
    if (matched.size < MAX_REMEMBERED && text.length <= MAX_REMEMBERED_LENGTH) matched.add(text)
    return true
  }
}

/** RFC 3339 §5.6 date-time, with real days and hours. */
function isTimestamp(value: unknown): boolean {
  const match = typeof value === 'string' ? TIMESTAMP.exec(value) : null
  if (match === null) return false
  const part = (index: number) => Number(match[index] ?? 0)
  const [year, month, day] = [part(1), part(2), part(3)]
  const daysInMonth = new Date(Date.UTC(year % 400 === 0 ? 2000 : year, month, 0)).getUTCDate()
  const clockOk = part(4) < 24 && part(5) < 60 && part(6) <= 60
  return (
    month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth && clockOk && part(9) < 24 && part(10) < 60
  )
}

const SECTIONS: Readonly<Record<string, string>> = {
  id: '§3.1 id',
  source: '§3.1 source',
  specversion: '§3.1 specversion',
  type: '§3.1 type',
  datacontenttype: '§3.1 datacontenttype',
  dataschema: '§3.1 dataschema',
  subject: '§3.1 subject',
  time: '§3.1 time',
}

function fail(attribute: string, message: string, section?: string): never {
  throw new InvalidEventError(
    attribute,
    `CloudEvents 1.0.2 ${section ?? SECTIONS[attribute] ?? '§3'}`,
    message,
  )
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value
}

/** A value for an error text, cut so that a hostile one cannot flood the log. */
function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value)
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
