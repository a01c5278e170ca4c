import type { Span, SpanContext } from '@opentelemetry/api'
import type { Delivery, Settlement } from '../contract.ts'
import { BatchError, PermanentError, type StoppedError, UnavailableError } from '../errors.ts'
import type { BatchSpan, BatchStart, Member } from '../tracing/batch.ts'
import { joinedSignal, runAttempt } from './attempt.ts'
import { backoffMs } from './backoff.ts'
import type { GivenUp } from './deadletter.ts'
import {
  backoffOf,
  type ConsumeSetting,
  DEFAULT_ATTEMPTS,
  DEFAULT_RETRY_AFTER_MS,
  giveUp,
  outcomeOfGivingUp,
} from './giveup.ts'
import type { BatchHandler, BatchHandling, MessageBatchHandler } from './options.ts'
import { positionText } from './position.ts'

/** What one batch is handled with. */
export interface BatchSetting extends ConsumeSetting {
  readonly handler:
    | { readonly raw: false; readonly run: BatchHandler }
    | { readonly raw: true; readonly run: MessageBatchHandler }
  readonly startProcess: (start: BatchStart) => BatchSpan
}

/** A batch from its first attempt to the settlement of every message in it. */
export interface BatchWork {
  /** Milliseconds after which it is to be tried again; null when it is done. Never rejects. */
  step(): Promise<number | null>
  /** What is not settled yet. */
  unsettled(): readonly Delivery[]
}

interface Verdict {
  readonly done: readonly Member[]
  readonly again: readonly Member[]
  readonly final: readonly { readonly member: Member; readonly index: number; readonly reason: Error }[]
}

const ACCEPT: Settlement = { outcome: 'accept' }

/** Nothing is accepted before the handler has returned, nothing rejected before its own dead letter is confirmed. */
export function handleBatch(setting: BatchSetting, members: readonly Member[]): BatchWork {
  const { transport, options, handler, settle } = setting
  const { answersSender } = transport.features
  const attempts = options.retry?.attempts ?? DEFAULT_ATTEMPTS
  const backoff = backoffOf(options)
  let left = members
  /** Given up; from then on only their dead letters are tried. */
  let letters: readonly GivenUp[] = []
  let tries = 0
  let failures = 0
  let unavailable = 0
  let previous: SpanContext | undefined
  let stopped = false
  const own: ConsumeSetting = {
    ...setting,
    stop(error: StoppedError) {
      stopped = true
      setting.stop(error)
    },
  }

  async function step(): Promise<number | null> {
    left = left.filter(({ delivery }) => !delivery.signal?.aborted)
    const waitMs = await bury()
    if (waitMs !== null || stopped || left.length === 0) return waitMs
    tries++
    const process = setting.startProcess({ members: left, attempt: tries, previous })
    const error = await runAttempt(
      process,
      (timeUp) => run(process, joinedSignal([...signalsOf(left), timeUp])),
      outcomeOf,
      options,
    )
    previous = process.span.spanContext()
    const verdict = judge(error)
    for (const { delivery } of verdict.done) settle(delivery, ACCEPT, process.span)
    letters = verdict.final
      .filter(({ member }) => !member.delivery.signal?.aborted)
      .map(({ member, index, reason }) => ({
        ...member,
        reason,
        attempts: member.delivery.attempt + tries - 1,
        // A dead letter goes on in the trace of its own message, with a link to the attempt that failed.
        failed: { ...process, context: process.contextOf(index) },
      }))
    left = verdict.again
    const retryMs = error === null || left.length === 0 ? null : again(error, left, process.span)
    const buryMs = await bury()
    if (stopped) return null
    return retryMs === null || buryMs === null ? (buryMs ?? retryMs) : Math.min(buryMs, retryMs)
  }

  function run(process: BatchSpan, signal: AbortSignal): Promise<unknown> | unknown {
    const { span, context, contextOf } = process
    const deliveries = left.map(({ delivery }) => delivery)
    const messages = deliveries.map(({ message }) => message)
    const handling: BatchHandling = { span, context, contextOf, attempt: tries, messages, deliveries, signal }
    if (handler.raw) return handler.run(messages, handling)
    return handler.run(
      left.flatMap(({ event }) => event ?? []),
      handling,
    )
  }

  /** What is to become of each message; called with the failure before it has been counted. */
  function judge(error: Error | null): Verdict {
    if (error === null) return { done: left, again: [], final: [] }
    const done: Member[] = []
    const again: Member[] = []
    const final: Verdict['final'][number][] = []
    for (const [index, member] of left.entries()) {
      const reason = error instanceof BatchError ? error.failures.get(index) : error
      if (reason === undefined) done.push(member)
      else if (isFinal(reason)) final.push({ member, index, reason })
      else again.push(member)
    }
    return { done, again, final }
  }

  function isFinal(error: Error): boolean {
    if (error instanceof PermanentError) return true
    return !(error instanceof UnavailableError) && !answersSender && failures + 1 >= attempts
  }

  /** Of the batch as one: what becomes of the messages that fare worst. */
  function outcomeOf(error: Error | null): 'accept' | 'release' | 'reject' {
    const { again, final } = judge(error)
    if (again.length > 0) return 'release'
    return final.length > 0 ? outcomeOfGivingUp(setting) : 'accept'
  }

  function again(error: Error, members: readonly Member[], span: Span): number | null {
    const reasons = error instanceof BatchError ? [...error.failures.values()] : [error]
    const spent = reasons.some((reason) => !(reason instanceof UnavailableError))
    if (spent) failures++
    else unavailable++
    const asked = reasons.map((reason) =>
      reason instanceof UnavailableError ? (reason.retryAfterMs ?? 0) : 0,
    )
    const pause = answersSender ? DEFAULT_RETRY_AFTER_MS : backoffMs(spent ? failures : unavailable, backoff)
    const retryMs = Math.max(pause, ...asked)
    const [first] = members
    if (first !== undefined) {
      const position = positionText(first.delivery.position)
      options.onProblem?.({ kind: 'retry', error, retryMs, position, attempt: tries })
    }
    if (!answersSender) return retryMs
    for (const { delivery } of members) settle(delivery, { outcome: 'release', delayMs: retryMs }, span)
    left = []
    return null
  }

  /** Null when no dead letter is left to publish, or the subscription was stopped at one. */
  async function bury(): Promise<number | null> {
    for (let letter = letters[0]; letter !== undefined && !stopped; letter = letters[0]) {
      if (!letter.delivery.signal?.aborted) {
        const retryMs = await giveUp(own, letter, unavailable + 1)
        if (retryMs !== null) {
          unavailable++
          return retryMs
        }
        if (stopped) return null
      }
      letters = letters.slice(1)
    }
    return null
  }

  function signalsOf(batch: readonly Member[]): readonly AbortSignal[] {
    return [setting.stopped, ...new Set(batch.flatMap(({ delivery }) => delivery.signal ?? []))]
  }

  return {
    step,
    unsettled: () => [...letters, ...left].map(({ delivery }) => delivery),
  }
}
