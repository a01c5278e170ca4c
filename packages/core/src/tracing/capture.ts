import type { Attributes } from '@opentelemetry/api'
import { isJsonType } from '../data.ts'
import { type Message, textOf } from '../message.ts'

/** What spans carry of messages beside the conventions' attributes. Nothing by default: messages hold what traces should not. */
export interface CaptureOptions {
  /** Headers by name, compared without case, or `all`: attributes `messaging.header.<name>`, a list of texts. */
  readonly headers?: readonly string[] | 'all'
  /** `throughline.message.body`, cut to so many characters. JSON is redacted member by member; bytes are in base64. */
  readonly bodyChars?: number
  /** `messaging.message.body.size`, bytes. */
  readonly bodySize?: boolean
  /**
   * Names of headers and JSON members whose values become `[redacted]`, compared without case; beside every name that
   * speaks of a password, secret, token, credential, cookie, session, authorization or key.
   */
  readonly redact?: readonly string[]
}

const SECRET =
  /passw|pwd|secret|token|credential|cookie|session|authori[sz]ation|api[-_]?key|private[-_]?key|access[-_]?key/i
const REDACTED = '[redacted]'
const USER_INFO = /\/\/[^\s/@"']*@/g
/** JSON that is larger is left out: it would have to be parsed whole to be redacted. */
const MAX_JSON_BYTES = 256 * 1024

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** The attributes of a message for spans that record; undefined where nothing is to be captured. */
export function captureOf(
  options: CaptureOptions | undefined,
): ((message: Message) => Attributes) | undefined {
  const { headers = [], bodyChars = 0, bodySize = false, redact = [] } = options ?? {}
  if (headers.length === 0 && bodyChars <= 0 && !bodySize) return undefined
  const wanted = headers === 'all' ? undefined : new Set(headers.map((name) => name.toLowerCase()))
  const named = new Set(redact.map((name) => name.toLowerCase()))
  const isSecret = (name: string) => SECRET.test(name) || named.has(name.toLowerCase())

  function headerAttributes(message: Message, attributes: Record<string, string[] | string | number>): void {
    for (const [written, value] of message.headers) {
      const name = written.toLowerCase()
      if (wanted !== undefined && !wanted.has(name)) continue
      const text = isSecret(name) ? REDACTED : withoutUserInfo(textOf(value))
      const key = `messaging.header.${name}`
      const before = Object.hasOwn(attributes, key) ? attributes[key] : undefined
      attributes[key] = Array.isArray(before) ? [...before, text] : [text]
    }
  }

  /** Undefined where the body is JSON, by its type or by its looks, and cannot be redacted. */
  function bodyText(body: Uint8Array, contentType: string | undefined): string | undefined {
    let text: string
    try {
      text = strictUtf8.decode(body)
    } catch {
      return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64').slice(0, bodyChars)
    }
    const saysJson = contentType !== undefined && isJsonType(contentType)
    if (!saysJson && !/^\s*[[{]/.test(text)) return withoutUserInfo(text).slice(0, bodyChars)
    if (body.byteLength > MAX_JSON_BYTES) return undefined
    try {
      const redacted = JSON.stringify(JSON.parse(text), (name, value) => (isSecret(name) ? REDACTED : value))
      return withoutUserInfo(redacted).slice(0, bodyChars)
    } catch {
      return undefined
    }
  }

  return (message) => {
    const attributes: Record<string, string[] | string | number> = {}
    const { body, contentType } = message
    headerAttributes(message, attributes)
    if (bodySize) attributes['messaging.message.body.size'] = body?.byteLength ?? 0
    const text = bodyChars > 0 && body !== null ? bodyText(body, contentType) : undefined
    if (text !== undefined) attributes['throughline.message.body'] = text
    return attributes
  }
}

/** Users and passwords of addresses. */
function withoutUserInfo(text: string): string {
  return text.replaceAll(USER_INFO, '//')
}
