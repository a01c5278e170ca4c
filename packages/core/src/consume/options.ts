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

/** What a batch handler gets beside the events. */
export interface BatchHandling {
  /** The process span of this attempt, linked to what sent each message. */
  readonly span: Span
  /** The context the handler runs in: the process span. */
  readonly context: Context
  /** From 1. */
  readonly attempt: number
  /** In the order of the events. */
  readonly messages: readonly Message[]
  readonly deliveries: readonly Delivery[]
  /** The hop context of one message: give it to what is published on that message's behalf, and its trace goes on. */
  contextOf(index: number): Context
  /** Aborted when the attempt's time is up, any delivery is no longer ours, or the subscription has no grace left. */
  readonly signal: AbortSignal
}

/** Returning accepts all. Throwing BatchError fails the messages that it names, anything else fails all of them. */
export type BatchHandler = (
  events: readonly CloudEvent[],
  handling: BatchHandling,
) => Promise<unknown> | unknown
/** The same for messages that need not be events. */
export type MessageBatchHandler = (
  messages: readonly Message[],
  handling: BatchHandling,
) => Promise<unknown> | unknown

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
  /** Answers per message, in the order given, once the broker has confirmed it; never rejects. */
  publishMessages(messages: readonly Message[]): Promise<readonly PublishResult[]>
}

/** How a subscription handles its deliveries, beside what its transport takes. */
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
  /** A CLIENT span `ack`, `nack` or `commit` for every settlement. Default false: the outcome stands on the process span. */
  readonly settleSpans?: boolean
  /** Told of lost and new connections, retries, dead letters and drops, for logs and readiness. */
  readonly onProblem?: (problem: Problem) => void
}

/**
 * A batch that fails is tried again as it is, without what a BatchError left out: each failure spends an attempt of every
 * message in it. When attempts are spent each message is given up by itself, with a dead letter of its own. A message that
 * is no valid event is given up alone, before it reaches a batch.
 */
export interface BatchOptions extends Omit<ConsumeOptions, 'concurrency'> {
  /** Messages in one batch at most, 1 to 10 000. The subscriber's window should hold as many. */
  readonly maxMessages: number
  /** How long the first message of a batch waits for others, milliseconds. Default 100. */
  readonly maxWaitMs?: number
  /** Batches at one time; no key is in two of them. Default 1. */
  readonly concurrency?: number
}
