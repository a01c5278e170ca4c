import { errorMessage, PermanentError, UnavailableError } from '@throughline/core'
import { parseTarget, type Target } from './target.ts'

/** Who asks a webhook's receiver for permission to send, and for what. */
export interface PermissionOptions {
  /** A DNS name for the sending system as a whole: `events.example.com`. Also to be the header `webhook-request-origin` of every delivery. */
  readonly origin: string
  /** The rate to ask for. Default: whatever the receiver allows. */
  readonly requestsPerMinute?: number
  /** Where the receiver may give its permission later, by GET or POST. */
  readonly callback?: string
  /** Headers of the validation request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Until the answer, milliseconds; default 10 000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What the receiver of a webhook permits. */
export interface Permission {
  /** Requests that may be sent a minute; null: as many as one likes. */
  readonly requestsPerMinute: number | null
}

/**
 * Asks the receiver of a webhook whether it wants what is going to be sent: the sender's side of CloudEvents' Webhooks
 * 1.0 §4. Throws PermanentError with code TL_PERMISSION_WITHHELD when it does not say so (with `callback` it still may),
 * UnavailableError when it cannot be reached or asked now.
 */
export async function requestPermission(url: string, options: PermissionOptions): Promise<Permission> {
  const { origin, requestsPerMinute, timeoutMs = 10_000, signal } = options
  const target = parseTarget(url)
  const limit = AbortSignal.timeout(timeoutMs)
  const sent = permissionHeaders(options, target)
  let response: Response
  try {
    response = await fetch(target.url, {
      method: 'OPTIONS',
      redirect: 'manual',
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      headers: sent,
    })
    await response.body?.cancel()
  } catch (error) {
    const reason = limit.aborted ? `no answer within ${timeoutMs} ms` : errorMessage(reasonOf(error))
    throw new UnavailableError(`cannot ask ${target.name} for permission: ${reason}`, { cause: error })
  }
  const allowed = response.headers.get('webhook-allowed-origin')?.trim().toLowerCase()
  if (allowed !== '*' && allowed !== origin.toLowerCase()) {
    const said = `${target.name} did not permit ${JSON.stringify(origin)} to send: it answered ${response.status}`
    // By its status alone nobody has agreed to anything (§4.2); it only says whether asking again can help.
    if (response.status >= 500 || response.status === 429) throw new UnavailableError(said)
    throw new PermanentError(said, { code: 'TL_PERMISSION_WITHHELD' })
  }
  return { requestsPerMinute: rateOf(response.headers.get('webhook-allowed-rate'), requestsPerMinute) }
}

/** Of a name in several spellings the option's counts, and none is sent twice. Throws PermanentError for what no header can hold. */
function permissionHeaders(
  { origin, requestsPerMinute, callback, headers = {} }: PermissionOptions,
  { authorization }: Target,
): Headers {
  try {
    const sent = new Headers({ 'user-agent': 'throughline' })
    if (authorization !== undefined) sent.set('authorization', authorization)
    for (const [name, value] of Object.entries(headers)) sent.set(name, value)
    sent.set('webhook-request-origin', origin)
    if (requestsPerMinute !== undefined) sent.set('webhook-request-rate', String(requestsPerMinute))
    if (callback !== undefined) sent.set('webhook-request-callback', callback)
    return sent
  } catch (cause) {
    // Its text would show the value, which may be a secret.
    throw new PermanentError('origin, callback and headers are to be what an HTTP header can hold', {
      code: 'TL_HEADER_INVALID',
      cause,
    })
  }
}

/** A receiver that names no rate agrees to the one that was asked for (§4.2.2). */
function rateOf(allowed: string | null, asked: number | undefined): number | null {
  if (allowed?.trim() === '*') return null
  return /^[1-9]\d{0,8}$/.test(allowed?.trim() ?? '') ? Number(allowed) : (asked ?? null)
}

/** fetch hides what went wrong in its error's cause. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error
}
