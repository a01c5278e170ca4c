import type { ExplorerStatus, Journey, JourneyList, JourneySummary } from '@throughline/explorer/api'
import { parse, type Shape, ShapeError } from './shape.ts'
import * as shapes from './shapes.ts'
import { fetchWithToken } from './token.ts'

/** Why a request to the explorer failed, in words for the page. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  /** The HTTP status; 0 when no answer came. */
  readonly status: number

  constructor(code: string, status: number, message: string) {
    super(message)
    this.code = code
    this.status = status
  }
}

async function get<T>(path: string, shape: Shape<T>, signal: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetchWithToken(path, { signal, accept: 'application/json' })
  } catch (error) {
    if (signal.aborted) throw error
    throw new ApiError('TL_UI_UNREACHABLE', 0, 'The explorer does not answer. Is it still running?')
  }
  let body: unknown
  try {
    body = await response.json()
  } catch (error) {
    if (signal.aborted) throw error
    throw new ApiError('TL_UI_NOT_JSON', response.status, `${path} answered ${response.status} without JSON.`)
  }
  if (!response.ok) throw problemOf(body, path, response.status)
  try {
    return parse(shape, body, path)
  } catch (error) {
    if (error instanceof ShapeError) throw new ApiError(error.code, response.status, error.message)
    throw error
  }
}

function problemOf(body: unknown, path: string, status: number): ApiError {
  try {
    const problem = parse(shapes.problem, body, path)
    return new ApiError(problem.code, status, problem.detail)
  } catch {
    return new ApiError('TL_UI_STATUS', status, `${path} answered ${status}.`)
  }
}

/** The newest journeys; `before` is the `next` of the page above. */
export function fetchJourneys(
  limit: number,
  before: string | null,
  signal: AbortSignal,
): Promise<JourneyList> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (before !== null) query.set('before', before)
  return get(`/api/journeys?${query}`, shapes.journeyList, signal)
}

/** Journeys that match a text: an id, a subject, a type, an attribute's value. */
export function searchJourneys(text: string, limit: number, signal: AbortSignal): Promise<JourneyList> {
  return get(
    `/api/search?${new URLSearchParams({ q: text, limit: String(limit) })}`,
    shapes.journeyList,
    signal,
  )
}

/** One journey, by event id, trace id or span id. */
export function fetchJourney(id: string, signal: AbortSignal): Promise<Journey> {
  return get(`/api/journeys/${encodeURIComponent(id)}`, shapes.journey, signal)
}

/** What the explorer holds and where it listens for telemetry. */
export function fetchStatus(signal: AbortSignal): Promise<ExplorerStatus> {
  return get('/api/status', shapes.status, signal)
}

/** A row of the list as it came over the live stream; null when it is not one. */
export function parseSummary(data: string): JourneySummary | null {
  try {
    return parse(shapes.summary, JSON.parse(data), 'journey')
  } catch {
    return null
  }
}
