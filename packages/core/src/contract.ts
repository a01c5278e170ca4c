import type { Attributes, Context } from '@opentelemetry/api'
import type { Binding } from './binding.ts'
import type { ThroughlineError } from './errors.ts'
import type { Header, Message } from './message.ts'

/**
 * The two contracts that a driver implements, and nothing else. Tracing, retry, dead letters, reconnecting and
 * metrics are decorators round them, the same for every transport.
 */

/** What became of one message. `error` is an UnavailableError when trying again later can help, else a PermanentError. */
export type PublishResult<Failure extends Error = ThroughlineError> = (
  | { readonly ok: true; readonly partition?: number; readonly offset?: bigint; readonly statusCode?: number }
  | { readonly ok: false; readonly error: Failure }
) & {
  /** How often the driver sent it again until it had this answer; absent where it did not. */
  readonly resends?: number
}

/** What a driver implements to send: no spans, no retries, no reconnecting. Users hold an EventPublisher, which is made round it. */
export interface Publisher {
  /** Where messages without a `destination` of their own go. */
  readonly destination: string
  /** Attributes that hold for all of its messages where they differ by publisher: `server.address`, `url.full`. */
  readonly attributes?: Attributes
  /** Connects. Idempotent; `publish` does it by itself. Throws UnavailableError when the broker cannot be reached. */
  open(): Promise<void>
  /**
   * Sends and waits until the broker has confirmed (Kafka acks=all, MQTT PUBACK/PUBCOMP, HTTP 2xx; QoS 0: handed to
   * the client). Answers per message, in the order given, and never rejects: a lost connection is every unconfirmed
   * message's own UnavailableError. Calls may overlap; messages of one key keep the order of the calls.
   *
   * `hop` is the context of a span that stands for the whole call, as headers; only a transport that lays several
   * messages into one request has a use for it.
   */
  publish(messages: readonly Message[], hop?: readonly Header[]): Promise<readonly PublishResult[]>
  /** Waits for what is in flight, then disconnects. Idempotent. */
  close(): Promise<void>
}

/** Where a delivery stands in its source. */
export interface Position {
  /** Topic, queue or path, as it is (never a pattern). */
  readonly destination: string
  /** The subscription's pattern, when it has wildcards: `sensors/+/reading`. */
  readonly pattern?: string
  /** True where there may be any number of such destinations and no pattern of them is known: metrics leave it out. */
  readonly unbounded?: boolean
  readonly partition?: number
  readonly offset?: bigint
  /** The broker's or record's time, Unix milliseconds. */
  readonly timestampMs?: number
}

/** One message handed to a subscriber, to be settled. Plain data; a driver's own deliveries add what it needs to settle them. */
export interface Delivery {
  readonly message: Message
  readonly position: Position
  /** From 1; more where the broker itself counts deliveries. */
  readonly attempt: number
  /** True when the broker says it has delivered this before. */
  readonly redelivered?: boolean
  /** True when the subscriber reads it from an earlier position on request: it is handled in a trace of its own. */
  readonly replayed?: boolean
  /** Deliveries of the same order key are handled one after the other. Undefined: no order to keep. */
  readonly orderKey?: string
  /** Aborted when the delivery is no longer ours (a revoked partition, a caller that went away). Settling it then does nothing. */
  readonly signal?: AbortSignal
  /** The context it arrived in, where that has a span of its own: an instrumented HTTP server's. Parent of the process span. */
  readonly context?: Context
}

/** AMQP's outcomes, for every transport. What each does on each transport is a table in docs/transports/README.md. */
export type Settlement =
  | { readonly outcome: 'accept' }
  /** Not handled: the broker is to deliver it again, not before `delayMs` where the transport can say so. */
  | { readonly outcome: 'release'; readonly delayMs: number }
  /** Handled for good, with failure. `deadLettered`: it has been published and confirmed elsewhere. */
  | { readonly outcome: 'reject'; readonly reason: Error; readonly deadLettered: boolean }

/** What a driver implements to receive and settle: no spans, no retries, no reconnecting. Users hold a Subscription, which is made round it. */
export interface Subscriber {
  /** Attributes of OpenTelemetry's conventions that hold for all deliveries, e.g. `messaging.consumer.group.name`. */
  readonly attributes: Attributes
  /** Connects and subscribes. Idempotent while connected. Throws UnavailableError when the broker cannot be reached. */
  open(): Promise<void>
  /**
   * Deliveries as they arrive, in the arrays the client has them in; opens by itself. Stops reading while its window of
   * unsettled deliveries is full. Ends when the signal is aborted or the subscriber is closed; throws UnavailableError
   * when the connection is lost, after which it may be called again and reconnects.
   */
  deliveries(signal?: AbortSignal): AsyncIterable<readonly Delivery[]>
  /**
   * Settles, late and in any order. Idempotent; does nothing for a delivery of an earlier connection, which the broker
   * delivers again. Resolves when the outcome has been handed to the broker.
   */
  settle(deliveries: readonly Delivery[], outcome: Settlement): Promise<void>
  /** Sends what is settled, leaves what is not to be delivered again, disconnects. Idempotent. */
  close(): Promise<void>
}

/** What is true of a transport; the conformance suite and the start-up warnings go by it. */
export interface Features {
  /** Unsettled deliveries come again. */
  readonly acknowledges: boolean
  /** What order the source keeps. */
  readonly ordering: 'key' | 'destination' | 'none'
  /** Which header values it can carry. `ascii`: printable ASCII; any other character arrives percent-encoded. */
  readonly headers: 'bytes' | 'text' | 'ascii' | 'none'
  /**
   * How several subscribers share a destination's messages. `group`: what one leaves goes to the others. `session`: each
   * message is dealt to one of them, and waits for that one while it is away.
   */
  readonly sharing: 'group' | 'session' | 'none'
  /** Can read again from an earlier position. */
  readonly replay: boolean
  /** The sender waits for the outcome: a bad message is its sender's to mend, and is answered instead of dead-lettered. */
  readonly answersSender: boolean
}

/** One kind of broker connection: makes publishers and subscribers and says what only it knows. */
export interface Transport<PublisherOptions, SubscriberOptions> {
  /** `messaging.system`: `kafka`, `mqtt`, `rabbitmq`, `http`. */
  readonly system: string
  /** `messaging.operation.name` of a send. */
  readonly sendOperation: 'send' | 'publish'
  /** `messaging.operation.name` of accepting: `commit` where deliveries are accepted together, up to an offset. Default `ack`. */
  readonly settleOperation?: 'ack' | 'commit'
  readonly features: Features
  readonly binding: Binding
  /** Attributes that only this transport has, as plain data by OpenTelemetry's names. Asked for only by spans that record. */
  readonly attributes: TransportAttributes
  /** A publisher that connects when first used. Throws PermanentError when an option is wrong. */
  publisher(options: PublisherOptions): Publisher
  /** A subscriber that connects when first used. Throws PermanentError when an option is wrong. */
  subscriber(options: SubscriberOptions): Subscriber
}

/** Attributes of OpenTelemetry's conventions that a transport adds to the spans which core makes. */
export interface TransportAttributes {
  /** Known before anything is sent: `server.address`, `server.port`, `messaging.client.id`. */
  readonly connection: Attributes
  /** Of a message about to be sent to `destination`. */
  sent(message: Message, destination: string): Attributes
  /** Learned from the confirmation: partition, offset, status code. */
  confirmed(result: PublishResult<Error>): Attributes
  /** Of a message that arrived: partition, offset, client address. */
  delivered(delivery: Delivery): Attributes
}
