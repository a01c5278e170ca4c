import type { Journey } from '@throughline/explorer'

/** Where an explorer is, and what it wants to see. */
export interface ExplorerAddress {
  /** `http://127.0.0.1:4319` */
  readonly url: string
  readonly token?: string
  /** How long its answer is waited for. Default 30,000. */
  readonly timeoutMs?: number
}

/** An explorer that cannot be reached (`TL_EXPLORER_UNREACHABLE`), or that answers something else than a journey. */
export class ExplorerClientError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const DEFAULT_TIMEOUT_MS = 30_000

/**
 * Asks an explorer for a journey.
 *
 * @param id An event id, a trace id (32 hex digits) or a span id (16).
 * @returns null where the explorer knows of nothing with this id
 * @throws ExplorerClientError
 */
export async function fetchJourney(
  { url, token, timeoutMs = DEFAULT_TIMEOUT_MS }: ExplorerAddress,
  id: string,
): Promise<Journey | null> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new ExplorerClientError(
      'TL_BAD_ADDRESS',
      `"${url}" is no address of an explorer; expected http://host:port`,
    )
  const { status, body } = await ask(
    new URL(`/api/journeys/${encodeURIComponent(id)}`, url),
    token,
    timeoutMs,
  )
  if (status === 404 && codeOf(body) === 'TL_JOURNEY_NOT_FOUND') return null
  if (status !== 200) throw new ExplorerClientError('TL_EXPLORER_REFUSED', refusal(url, status, body))
  if (!isJourney(body)) throw notAnExplorer(url)
  return body
}

async function ask(
  url: URL,
  token: string | undefined,
  timeoutMs: number,
): Promise<{ status: number; body: unknown }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    const text = await response.text()
    return { status: response.status, body: parsed(text) }
  } catch (error) {
    const message = `no explorer answers at ${url.origin} (${reasonOf(error)}): start one with "throughline explorer", or name another with --explorer`
    throw new ExplorerClientError('TL_EXPLORER_UNREACHABLE', message, { cause: error })
  }
}

function refusal(url: string, status: number, body: unknown): string {
  if (status === 401) return `the explorer at ${url} wants a token: --token-file FILE`
  if (typeof body !== 'object' || body === null || !('detail' in body)) return notAnExplorer(url).message
  return `the explorer at ${url} answered ${status}: ${String(body.detail).slice(0, 300)}`
}

const notAnExplorer = (url: string) =>
  new ExplorerClientError('TL_EXPLORER_REFUSED', `what answers at ${url} is no explorer of this version`)

/** fetch says "fetch failed" and keeps the reason in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof AggregateError) return reasonOf(error.cause.errors[0])
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return error.message
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined
}

/** Looks at the members that every journey has: enough to tell it from another program's answer. */
function isJourney(body: unknown): body is Journey {
  const lists = ['traceIds', 'services', 'spans', 'edges', 'hops', 'findings']
  if (typeof body !== 'object' || body === null) return false
  return (
    lists.every((name) => Array.isArray(Reflect.get(body, name))) &&
    typeof Reflect.get(body, 'id') === 'string' &&
    typeof Reflect.get(body, 'totals') === 'object'
  )
}
