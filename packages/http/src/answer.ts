import { STATUS_CODES } from 'node:http'
import {
  InvalidEventError,
  PermanentError,
  type Settlement,
  TooLargeError,
  UnsupportedContentTypeError,
} from '@throughline/core'

/** A problem of RFC 9457, as every answer that is not a success carries it. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Stable, for programs: `TL_EVENT_INVALID`. */
  readonly code: string
  /** The CloudEvents attribute at fault. */
  readonly attribute?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly problem: Problem | null
}

export function problem(
  status: number,
  code: string,
  detail: string,
  { attribute, headers = {} }: { readonly attribute?: string; readonly headers?: Answer['headers'] } = {},
): Answer {
  const title = STATUS_CODES[status] ?? 'Error'
  const body: Problem = { type: 'about:blank', title, status, detail, code }
  return { status, headers, problem: attribute === undefined ? body : { ...body, attribute } }
}

/** 503 with `Retry-After`, in whole seconds and at least one. */
export function unavailable(code: string, detail: string, retryAfterMs: number): Answer {
  const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1000)))
  return problem(503, code, detail, { headers: { 'retry-after': seconds } })
}

/** What a sender is asked to wait where nothing else says it, milliseconds. */
export const RETRY_MS = 1000

export const CLOSING = unavailable(
  'TL_CLOSING',
  'the service is being stopped; send the event again',
  RETRY_MS,
)

/** What a settlement answers its sender. */
export function settlementAnswer(outcome: Settlement): Answer {
  switch (outcome.outcome) {
    case 'accept':
      return { status: 204, headers: {}, problem: null }
    case 'release':
      return unavailable('TL_RELEASED', 'the event was not processed; send it again', outcome.delayMs)
    case 'reject':
      return outcome.deadLettered ? deadLettered(outcome.reason) : rejection(outcome.reason)
  }
}

/** The answer to a message that was refused for good. Only errors meant for senders are shown: others may tell secrets. */
export function rejection(reason: Error): Answer {
  if (reason instanceof InvalidEventError) {
    return problem(400, reason.code, reason.message, { attribute: reason.attribute })
  }
  if (reason instanceof UnsupportedContentTypeError) return problem(415, reason.code, reason.message)
  if (reason instanceof TooLargeError) return problem(413, reason.code, reason.message)
  return problem(422, codeOf(reason), detailOf(reason))
}

function deadLettered(reason: Error): Answer {
  return problem(202, codeOf(reason), `kept as a dead letter: ${detailOf(reason)}`)
}

function codeOf(reason: Error): string {
  return reason instanceof PermanentError ? reason.code : 'TL_REJECTED'
}

function detailOf(reason: Error): string {
  return reason instanceof PermanentError ? reason.message : 'the event could not be processed'
}

/** The headers of an answer, those of its body's framing apart. */
export function answerHeaders({ headers, problem }: Answer): Record<string, string> {
  return problem === null ? { ...headers } : { ...headers, 'content-type': 'application/problem+json' }
}

/** The text of an answer's body; empty where it has none. */
export function answerBody({ problem }: Answer): string {
  return problem === null ? '' : JSON.stringify(problem)
}
