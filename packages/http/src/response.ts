import type { IncomingMessage } from 'node:http'
import { isJsonType } from '@throughline/core'
import { HttpRefusedError, HttpUnavailableError } from './errors.ts'

const MAX_DETAIL = 256
const MAX_BODY_BYTES = 8192
const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000
const TRY_AGAIN = new Set([408, 425, 429])

/** An answer's start, in text; the rest is not read. Resolves early when it is long, or breaks off. */
export async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= MAX_BODY_BYTES) break
    }
  } catch {
    // The status counts, whatever became of its text.
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8')
}

/**
 * Lets a success's body run dry, so that its connection is free for the next request. Never fails: the status counts. A
 * connection that does not stop talking is ended.
 */
export function discard(response: IncomingMessage): Promise<void> {
  let size = 0
  response.on('error', () => {})
  response.on('data', (chunk: Uint8Array) => {
    size += chunk.length
    if (size > MAX_BODY_BYTES) response.destroy()
  })
  return new Promise((resolve) => response.once('close', resolve))
}

/** What an answer other than 2xx means to whoever publishes. `target` is named in the message. */
export function refusal(
  statusCode: number,
  headers: IncomingMessage['headers'],
  body: string,
  target: string,
): HttpRefusedError | HttpUnavailableError {
  const detail = detailOf(headers['content-type'], body)
  const said = `${target} answered ${statusCode}${detail === '' ? '' : `: ${detail}`}`
  if (statusCode >= 500 || TRY_AGAIN.has(statusCode)) {
    return new HttpUnavailableError(statusCode, said, retryAfterMs(headers['retry-after'], Date.now()))
  }
  const redirects =
    statusCode < 400 ? `${said}; redirects are not followed, set the address it moved to` : said
  return new HttpRefusedError(statusCode, redirects)
}

/** `Retry-After` in milliseconds: seconds, or an HTTP date (RFC 9110 §10.2.3). At most a day; undefined when it is neither. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : httpDateMs(text) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS)
}

function httpDateMs(text: string): number {
  // Date.parse takes much more than HTTP's three date formats, all of which begin with the day's name.
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
}

/** The `detail` of a problem (RFC 9457), else the text; one line, cut. */
function detailOf(contentType: string | undefined, body: string): string {
  const text = contentType !== undefined && isJsonType(contentType) ? problemDetail(body) : body
  const isHtml = contentType?.startsWith('text/html') === true
  return isHtml
    ? ''
    : text
        .replace(/[\p{Cc}\s]+/gu, ' ')
        .trim()
        .slice(0, MAX_DETAIL)
}

function problemDetail(body: string): string {
  try {
    const problem: unknown = JSON.parse(body)
    if (typeof problem === 'object' && problem !== null) {
      if ('detail' in problem && typeof problem.detail === 'string') return problem.detail
      if ('title' in problem && typeof problem.title === 'string') return problem.title
    }
  } catch {
    // Not JSON in spite of its type: its text will do.
  }
  return body
}
