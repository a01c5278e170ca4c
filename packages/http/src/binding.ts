import {
  type Binding,
  createBinding,
  InvalidEventError,
  JSON_BATCH,
  mediaTypeOf,
  splitJsonBatch,
  UnsupportedContentTypeError,
} from '@throughline/core'

const PREFIX = 'ce-'
const SPECIFICATION = 'CloudEvents HTTP binding 1.0.2 §3.1.3.2'
const BATCH_PREFIX = 'application/cloudevents-batch'

const rules: Binding = createBinding({
  specification: 'CloudEvents HTTP binding 1.0.2 §3.1.3',
  headerName: (attribute) => PREFIX + attribute,
  attributeName(header) {
    const name = header.toLowerCase()
    return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null
  },
  encodeValue: encodeHeaderValue,
  decodeValue: decodeHeaderValue,
  absentBody: new Uint8Array(),
})

/**
 * CloudEvents HTTP binding 1.0.2: `ce-` headers, percent-encoded, or a structured JSON body. The order key is the
 * event's `partitionkey`, else its `subject`. A batch is many messages before it comes here; one that was not taken apart
 * is refused in words.
 */
export const httpBinding: Binding = {
  encode(event, { mode, key = orderKeyOf(event.partitionkey, event.subject) }) {
    return rules.encode(event, { mode, ...(key === undefined ? {} : { key }) })
  },
  decode(message) {
    // Before structured mode, whose media type is a prefix of it (§3).
    const { contentType, body } = message
    if (contentType !== undefined && mediaTypeOf(contentType).startsWith(BATCH_PREFIX)) {
      // What is wrong with the batch says more than that it is one.
      if (mediaTypeOf(contentType) === JSON_BATCH) splitJsonBatch(body ?? new Uint8Array())
      throw new UnsupportedContentTypeError(
        contentType,
        'one event a message; of batches those in JSON are taken apart where they arrive',
      )
    }
    return rules.decode(message)
  },
  isEvent: rules.isEvent,
}

function orderKeyOf(partitionkey: unknown, subject: string | undefined): string | undefined {
  return typeof partitionkey === 'string' ? partitionkey : subject
}

// Space, double quote, percent, and everything outside U+0021–U+007E. `u`: a surrogate pair is one character.
const ENCODED = /[^\x21\x23\x24\x26-\x7e]/gu

/** Percent-encodes an attribute's text for a header, by UTF-8, in upper case (CloudEvents HTTP binding 1.0.2 §3.1.3.2). */
export function encodeHeaderValue(text: string): string {
  return text.replace(ENCODED, (character) => percentEncode(Buffer.from(character)))
}

/** `%xy` for each byte. */
export function percentEncode(bytes: Uint8Array): string {
  let encoded = ''
  for (const byte of bytes) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return encoded
}

// One that never ends is matched too: searched again from each of its quotes, it would cost the square of its length.
const QUOTED = /"((?:[^"\\]|\\.)*)(?:(")|\\?$)/gs
const PERCENT_RUN = /(?:%[0-9A-Fa-f]{2})+/g
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A header's text as the attribute's: double-quoted strings are unescaped (RFC 7230 §3.2.6), then percent-decoded once.
 * A percent sign that starts no `%xy` stays, as senders that do not encode write it.
 * Throws InvalidEventError when the encoded bytes are not UTF-8.
 */
export function decodeHeaderValue(text: string, attribute: string): string {
  const unquoted = text.includes('"')
    ? text.replace(QUOTED, (quoted, inner: string, end?: string) => (end ? withoutEscapes(inner) : quoted))
    : text
  if (!unquoted.includes('%')) return unquoted
  return unquoted.replace(PERCENT_RUN, (run) => {
    try {
      return strictUtf8.decode(Buffer.from(run.replaceAll('%', ''), 'hex'))
    } catch (error) {
      throw new InvalidEventError(attribute, SPECIFICATION, `${run.slice(0, 64)} is not UTF-8`, {
        cause: error,
      })
    }
  })
}

function withoutEscapes(quoted: string): string {
  return quoted.replace(/\\(.)/gs, '$1')
}
