import type { Context, Span } from '@opentelemetry/api'
import type { Delivery, PublishResult } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import type { Message } from '../message.ts'
import type { ProcessTelemetry } from '../tracing/process.ts'

/** What a handler gets beside the event. */
export interface Handling {
  /** The process span of this attempt. */
  readonly span: Span
  /** The context the handler runs in: the process span and the baggage that arrived. */
  readonly context: Context
  /** From 1. */
  readonly attempt: number
  readonly message: Message
  readonly delivery: Delivery
  /** Aborted when the attempt's time is up, the delivery is no longer ours, or the subscription has no grace left. */
  readonly signal: AbortSignal
}

/** Returning accepts. Throwing PermanentError rejects, UnavailableError tries again without spending an attempt, anything else spends one. */
export type EventHandler = (event: CloudEvent, handling: Handling) => Promise<unknown> | unknown
/** The same for messages that need not be events. */
export type MessageHandler = (message: Message, handling: Handling) => Promise<unknown> | unknown

/** What a subscription tells of, for logs and readiness. Nothing here needs an answer. */
export type Problem =
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly error: Error; readonly retryMs: number }
  | {
      readonly kind: 'retry'
      readonly error: Error
      readonly retryMs: number
      readonly position: string
      readonly attempt: number
    }
  | {
      readonly kind: 'dead-lettered' | 'dropped' | 'rejected'
      readonly error: Error
      readonly position: string
      readonly attempt: number
    }
  | { readonly kind: 'settle-failed'; readonly error: Error }

/** What a dead letter is published with: any EventPublisher. */
export interface DeadLetterPublisher {
  publishMessages(messages: readonly Message[]): Promise<readonly PublishResult[]>
}

export interface ConsumeOptions extends ProcessTelemetry {
  /** Handlers at one time, over all keys. Default 16. */
  readonly concurrency?: number
  readonly retry?: {
    /** Failures of this event alone until it is given up, the first included. Default 5. */
    readonly attempts?: number
    /** First pause between attempts, milliseconds. Default 200. */
    readonly minMs?: number
    /** Longest pause, to which it doubles, milliseconds. Default 30 000. */
    readonly maxMs?: number
  }
  /** Aborts the handler's signal and fails the attempt. Default: no limit. */
  readonly attemptTimeoutMs?: number
  /** Where a delivery goes that is given up: published and confirmed there before it is rejected at its source. */
  readonly deadLetter?: { readonly publisher: DeadLetterPublisher; readonly route?: string }
  /** Without a dead letter: `stop` the subscription at that position (default), or `drop` the message. */
  readonly onExhausted?: 'stop' | 'drop'
  /** Told of lost and new connections, retries, dead letters and drops, for logs and readiness. */
  readonly onProblem?: (problem: Problem) => void
}
