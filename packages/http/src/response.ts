import type { IncomingMessage } from 'node:http'
import { isJsonType, type PublishResult } from '@throughline/core'
import { HttpRefusedError, HttpUnavailableError } from './errors.ts'
import type { Tried } from './retry.ts'

const MAX_DETAIL = 256
const MAX_BODY_BYTES = 8192
/** A batch's answer may name each of its events. */
const MAX_BATCH_BODY_BYTES = 1024 * 1024
const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000
const TRY_AGAIN = new Set([408, 425, 429])

/** What an answer says of each of the `count` messages of its request. `target` is named in errors. Never rejects. */
export async function answersOf(
  response: IncomingMessage,
  count: number,
  target: string,
): Promise<readonly Tried[]> {
  const { statusCode = 0 } = response
  if (statusCode < 200 || statusCode >= 300) return refusalsOf(response, statusCode, count, target)
  await discard(response)
  return repeated({ result: { ok: true, statusCode }, again: 'never' }, count)
}

async function refusalsOf(
  response: IncomingMessage,
  statusCode: number,
  count: number,
  target: string,
): Promise<readonly Tried[]> {
  const text = await readStart(response, count > 1 ? MAX_BATCH_BODY_BYTES : MAX_BODY_BYTES)
  const failures = count > 1 ? failuresOf(text, count) : null
  const whole = triedOf(refusal(statusCode, response.headers, text, target))
  if (failures === null) return repeated(whole, count)
  const retryAfter = response.headers['retry-after']
  return Array.from({ length: count }, (_, index): Tried => {
    const failure = failures.get(index)
    if (failure === undefined) return { result: { ok: true }, again: 'never' }
    return triedOf(refused(failure.status, oneLine(failure.detail), retryAfter, target))
  })
}

function repeated(tried: Tried, count: number): readonly Tried[] {
  return new Array<Tried>(count).fill(tried)
}

function triedOf(error: HttpRefusedError | HttpUnavailableError): Tried {
  const result: PublishResult = { ok: false, error }
  return { result, again: error instanceof HttpUnavailableError ? 'later' : 'never' }
}

/** Which events of a batch failed, by our own answer's `failures`; null where the answer does not say so. */
function failuresOf(
  body: string,
  count: number,
): ReadonlyMap<number, { readonly status: number; readonly detail: string }> | null {
  const failures: unknown = problemOf(body)?.failures
  if (!Array.isArray(failures) || failures.length === 0) return null
  const found = new Map<number, { status: number; detail: string }>()
  for (const failure of failures) {
    const { index, status, detail = '' } = isRecord(failure) ? failure : {}
    const isOne = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count
    if (!isOne || typeof status !== 'number' || !(status >= 300) || typeof detail !== 'string') return null
    found.set(index, { status, detail })
  }
  return found
}

/** An answer's start, in text; the rest is not read. Resolves early when it is long, or breaks off. */
async function readStart(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= maxBytes) break
    }
  } catch {
    // The status counts, whatever became of its text.
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8')
}

/**
 * Lets a success's body run dry, so that its connection is free for the next request. Never fails: the status counts. A
 * connection that does not stop talking is ended.
 */
function discard(response: IncomingMessage): Promise<void> {
  let size = 0
  response.on('error', () => {})
  response.on('data', (chunk: Uint8Array) => {
    size += chunk.length
    if (size > MAX_BODY_BYTES) response.destroy()
  })
  return new Promise((resolve) => response.on('close', resolve))
}

/** What an answer other than 2xx means to whoever publishes. `target` is named in the message. */
export function refusal(
  statusCode: number,
  headers: IncomingMessage['headers'],
  body: string,
  target: string,
): HttpRefusedError | HttpUnavailableError {
  return refused(statusCode, detailOf(headers['content-type'], body), headers['retry-after'], target)
}

function refused(
  statusCode: number,
  detail: string,
  retryAfter: string | undefined,
  target: string,
): HttpRefusedError | HttpUnavailableError {
  const said = `${target} answered ${statusCode}${detail === '' ? '' : `: ${detail}`}`
  if (statusCode >= 500 || TRY_AGAIN.has(statusCode)) {
    return new HttpUnavailableError(statusCode, said, retryAfterMs(retryAfter, Date.now()))
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

/** HTTP's three forms of a date alone (RFC 9110 §5.6.7): Date.parse takes much more, and the one without a zone for local time. */
function httpDateMs(text: string): number {
  const isAsctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(text)
  if (isAsctime) return Date.parse(`${text} GMT`)
  return /^[A-Z][a-z]+, [\w -]+ \d\d:\d\d:\d\d GMT$/.test(text) ? Date.parse(text) : Number.NaN
}

/** The `detail` of a problem (RFC 9457), else the text; one line, cut. */
function detailOf(contentType: string | undefined, body: string): string {
  const text = contentType !== undefined && isJsonType(contentType) ? problemDetail(body) : body
  return contentType?.startsWith('text/html') === true ? '' : oneLine(text)
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_DETAIL)
}

function problemDetail(body: string): string {
  const { detail, title } = problemOf(body) ?? {}
  if (typeof detail === 'string') return detail
  return typeof title === 'string' ? title : body
}

/** Null where it is not JSON, in spite of its type: its text will do. */
function problemOf(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const problem: unknown = JSON.parse(body)
    return isRecord(problem) ? problem : null
  } catch {
    return null
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
