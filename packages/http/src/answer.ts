import { STATUS_CODES } from 'node:http'
import {
  InvalidEventError,
  PermanentError,
  type Settlement,
  TooLargeError,
  UnsupportedContentTypeError,
} from '@throughline/core'
import { TooManyEventsError } from './errors.ts'

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
  /** Of a batch: its events that did not succeed. All others did. */
  readonly failures?: readonly EventFailure[]
}

/** One event of a batch: what it would have been answered by itself. */
export interface EventFailure {
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly status: number
  readonly code: string
  readonly detail: string
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

export const NO_CONTENT: Answer = { status: 204, headers: {}, problem: null }

/** What a settlement answers its sender. */
export function settlementAnswer(outcome: Settlement): Answer {
  switch (outcome.outcome) {
    case 'accept':
      return NO_CONTENT
    case 'release':
      return unavailable('TL_RELEASED', 'the event was not processed; send it again', outcome.delayMs)
    case 'reject':
      return outcome.deadLettered ? deadLettered(outcome.reason) : rejection(outcome.reason)
  }
}

/**
 * One answer for all events of a batch. Success is for all of them: a sender that knows no more than the status must not
 * take a part for the whole. One that is to come again makes it 503, and the whole batch comes again; else it is the
 * failures' status, or 422 where they differ. `failures` says which, for senders that read it.
 */
export function batchAnswer(answers: readonly Answer[]): Answer {
  const failures = answers.flatMap(({ status, problem }, index): EventFailure[] => {
    if (problem === null || status < 300) return []
    const { code, detail, attribute } = problem
    return [{ index, status, code, detail, ...(attribute === undefined ? {} : { attribute }) }]
  })
  const [first] = failures
  if (first === undefined) return answers.find(({ status }) => status === 202) ?? NO_CONTENT
  const again = answers.filter(({ status }) => status === 503)
  const alike = failures.every(({ status }) => status === first.status)
  const status = again.length > 0 ? 503 : alike ? first.status : 422
  const detail = `${failures.length} of ${answers.length} events failed: ${first.detail}`
  const waitSeconds = again.reduce(
    (most, { headers }) => Math.max(most, Number(headers['retry-after'] ?? 0)),
    0,
  )
  const headers = again.length === 0 ? {} : { 'retry-after': String(waitSeconds) }
  const whole = problem(status, failures.length === 1 ? first.code : 'TL_BATCH', detail, { headers })
  return { ...whole, problem: whole.problem && { ...whole.problem, failures } }
}

/** The answer to a message that was refused for good. Only errors meant for senders are shown: others may tell secrets. */
export function rejection(reason: Error): Answer {
  if (reason instanceof InvalidEventError) {
    return problem(400, reason.code, reason.message, { attribute: reason.attribute })
  }
  if (reason instanceof UnsupportedContentTypeError) return problem(415, reason.code, reason.message)
  if (reason instanceof TooLargeError || reason instanceof TooManyEventsError)
    return problem(413, reason.code, reason.message)
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
