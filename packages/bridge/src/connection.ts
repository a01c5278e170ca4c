import type {
  Binding,
  Broker,
  ConsumeOptions,
  EventHandler,
  EventPublisher,
  MessageHandler,
  PublishTelemetry,
  Subscription,
} from '@throughline/core'
import type { DeadLetterConfig, SourceConfig, TargetConfig } from './config/config.ts'
import type { Address } from './config/field.ts'
import type { System } from './headers.ts'

/**
 * Events of one route on their way at one time. They wait for confirmations, not for a processor: with fewer, the time
 * of one confirmation would be the limit of a route's throughput.
 */
export const CONCURRENCY = 256

export interface TargetOptions extends PublishTelemetry {
  /** How long a message is tried until it is answered with UnavailableError, milliseconds. */
  readonly timeoutMs?: number
}

export interface SourceOptions extends ConsumeOptions {
  /** The route: what tells its session and its connection apart from those of other routes. */
  readonly route: string
  /** What becomes of what is given up and was not published as a dead letter. Default `drop`. */
  readonly rejected?: 'drop' | 'broker'
  readonly signal: AbortSignal
}

/** A connection of the configuration: what its routes read from and publish to, whatever the transport. */
export interface Connection {
  readonly name: string
  readonly system: System
  /** For people: `kafka localhost:9092`. Without secrets. */
  readonly place: string
  readonly binding: Binding
  /** Throws PermanentError where the broker's client refuses an option. */
  publisher(to: TargetConfig | DeadLetterConfig, options: TargetOptions): EventPublisher
  subscribe(from: SourceConfig, options: SourceOptions, handler: SourceHandler): Promise<Subscription>
  /** Where its server listens; null where it has none, or has none yet. */
  address(): Address | null
  close(): Promise<void>
}

/** A route's handler: for events, or for messages that need not be any. */
export type SourceHandler =
  | { readonly raw: false; readonly run: EventHandler }
  | { readonly raw: true; readonly run: MessageHandler }

/** How a transport's own options come from the configuration's. */
export interface Mapping<P, S> {
  readonly system: System
  readonly place: string
  readonly target: (to: TargetConfig | DeadLetterConfig, timeoutMs: number | undefined) => P
  readonly source: (from: SourceConfig, route: string, rejected: 'drop' | 'broker') => S
  readonly address?: () => Address | null
  /** The one whose publishers are used; default: the same. */
  readonly sender?: Broker<P, S>
}

/** A connection over any broker object. */
export function connectionOf<P extends object, S extends object>(
  name: string,
  broker: Broker<P, S>,
  { system, place, target, source, address = () => null, sender = broker }: Mapping<P, S>,
): Connection {
  return {
    name,
    system,
    place,
    binding: broker.transport.binding,
    publisher: (to, { timeoutMs, ...telemetry }) =>
      sender.publisher({ ...target(to, timeoutMs), ...telemetry }),
    subscribe(from, { route, rejected = 'drop', ...options }, handler) {
      const settings = { ...source(from, route, rejected), concurrency: CONCURRENCY, ...options }
      return handler.raw
        ? broker.subscribe({ ...settings, raw: true }, handler.run)
        : broker.subscribe({ ...settings, raw: false }, handler.run)
    },
    address,
    async close() {
      await broker.close({ graceMs: 0 })
      if (sender !== broker) await sender.close({ graceMs: 0 })
    },
  }
}
