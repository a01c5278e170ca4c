import { errorMessage, InvalidEventError } from './errors.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `application/json`, `text/json` and every `+json` type (CloudEvents JSON event format 1.0.2 §3.1). Parameters are ignored. */
export function isJsonType(contentType: string): boolean {
  const mediaType = mediaTypeOf(contentType)
  return mediaType === 'application/json' || mediaType === 'text/json' || mediaType.endsWith('+json')
}

/** Type and subtype in lower case, without parameters. */
export function mediaTypeOf(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

function isText(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8'
  return mediaTypeOf(contentType).startsWith('text/') && (charset === 'utf-8' || charset === 'us-ascii')
}

/**
 * A message body as data, in the shape `CloudEvent.data` has for that content type.
 * Throws InvalidEventError for `data` when a JSON body is not JSON, or text is not UTF-8.
 */
export function decodeData(body: Uint8Array | null, contentType: string | undefined): unknown {
  if (body === null) return undefined
  if (contentType === undefined) return body.byteLength === 0 ? undefined : body
  if (isJsonType(contentType)) {
    if (body.byteLength === 0) return undefined
    return parseJson(decodeText(body, 'data'), 'data')
  }
  return isText(contentType) ? decodeText(body, 'data') : body
}

/** The body for an event's data; null for no data. Throws InvalidEventError for `data` when it has no JSON form. */
export function encodeData(data: unknown, contentType: string | undefined): Uint8Array | null {
  if (data === undefined) return null
  if (data instanceof Uint8Array) return data
  if (typeof data === 'string' && contentType !== undefined && !isJsonType(contentType))
    return encoder.encode(data)
  return encoder.encode(stringifyJson(data))
}

/** Bytes as UTF-8 text. Throws InvalidEventError naming `attribute` when they are not. */
export function decodeText(bytes: Uint8Array, attribute: string): string {
  try {
    return strictDecoder.decode(bytes)
  } catch (error) {
    throw new InvalidEventError(attribute, 'CloudEvents 1.0.2 §2.4', 'is not valid UTF-8', { cause: error })
  }
}

// 16 digits are where an integer can first leave 2^53; most texts have none and take the plain path.
const LONG_NUMBER = /\d{16}/
const INTEGER = /^-?\d+$/

/** JSON's types as TypeScript knows them lack the source text (ECMA-262 2026, JSON.parse) and JSON.rawJSON. */
type SourceReviver = (
  this: unknown,
  key: string,
  value: unknown,
  context: { readonly source?: string },
) => unknown
const { parse: parseWithSource, rawJSON } = JSON as unknown as {
  readonly parse: (text: string, reviver: SourceReviver) => unknown
  readonly rawJSON: (text: string) => unknown
}

/** Integers outside ±2^53 become bigint, so that they leave as they came. Throws InvalidEventError naming `attribute` when the text is not JSON. */
export function parseJson(text: string, attribute: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? parseWithSource(text, keepInteger) : JSON.parse(text)
  } catch (error) {
    const section = 'CloudEvents JSON event format 1.0.2 §3'
    throw new InvalidEventError(attribute, section, `is not valid JSON: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

const keepInteger: SourceReviver = (_key, value, { source }) => {
  const exact =
    typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined || !INTEGER.test(source)
  return exact ? value : BigInt(source)
}

function writeInteger(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJSON(value.toString()) : value
}

/** A bigint is written as an integer. Throws InvalidEventError for `data` when it has no JSON form (a function, a cycle). */
export function stringifyJson(data: unknown): string {
  const section = 'CloudEvents JSON event format 1.0.2 §3.1'
  let text: string | undefined
  try {
    text = stringify(data)
  } catch (error) {
    throw new InvalidEventError('data', section, `has no JSON form: ${errorMessage(error)}`, { cause: error })
  }
  if (text === undefined)
    throw new InvalidEventError('data', section, `has no JSON form: it is a ${typeof data}`)
  return text
}

/** The plain path first: a replacer is called for every member, and a bigint is rare. */
function stringify(data: unknown): string | undefined {
  try {
    return JSON.stringify(data)
  } catch {
    return JSON.stringify(data, writeInteger)
  }
}
