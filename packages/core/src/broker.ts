import type { Context } from '@opentelemetry/api'
import type { ContentMode } from './binding.ts'
import type { BatchSetting } from './consume/batch.ts'
import { dispatchBatches } from './consume/batches.ts'
import { type Dispatcher, dispatchEach } from './consume/dispatcher.ts'
import type { ConsumeSetting } from './consume/giveup.ts'
import type { HandlerSetting } from './consume/handler.ts'
import type {
  BatchHandler,
  BatchOptions,
  ConsumeOptions,
  EventHandler,
  MessageBatchHandler,
  MessageHandler,
} from './consume/options.ts'
import { openSubscription, type Subscription } from './consume/subscription.ts'
import type { Publisher, PublishResult, Subscriber, Transport } from './contract.ts'
import { ThroughlineError, UnavailableError } from './errors.ts'
import { completeEvent, type EventInput } from './event.ts'
import type { Header, Message, MessageProperties } from './message.ts'
import { type PublishTelemetry, tracePublisher } from './tracing/publisher.ts'

/** A message that is not an event, to publish: text becomes UTF-8. */
export interface MessageInput {
  readonly body: Uint8Array | string | null
  readonly headers?: readonly Header[] | Readonly<Record<string, string | Uint8Array>>
  readonly contentType?: string
  readonly properties?: MessageProperties
  readonly key?: string | Uint8Array
}

/** What holds for one call of `publish` or `publishAll`, in place of the publisher's own. */
export interface PublishOptions {
  /** Order key; default: the event's `partitionkey`. */
  readonly key?: string | Uint8Array
  /** Overrides the publisher's destination. */
  readonly destination?: string
  /** Overrides the publisher's content mode. */
  readonly mode?: ContentMode
  /** Parent of the send span. Default: the active context. */
  readonly context?: Context
}

/** The broker's confirmation. */
export type Confirmation = Extract<PublishResult, { ok: true }>

/** What a user publishes with. The same code for every transport. */
export interface EventPublisher extends AsyncDisposable {
  /** Where events without a `destination` of their own go. */
  readonly destination: string
  /** Connects; `publish` does it by itself. Throws UnavailableError when the broker cannot be reached. */
  open(): Promise<void>
  /**
   * Publishes one event or message and resolves when the broker has confirmed it.
   * Throws InvalidEventError, PermanentError (never going to work), or UnavailableError (try again later).
   */
  publish(input: EventInput | MessageInput, options?: PublishOptions): Promise<Confirmation>
  /**
   * Publishes several in one call to the driver; answers per input, in the order given, and never rejects: an event that
   * is not valid is its own InvalidEventError, the others are sent. Each keeps a context of its own (`createSpans`).
   */
  publishAll(
    inputs: readonly (EventInput | MessageInput)[],
    options?: PublishOptions,
  ): Promise<readonly PublishResult[]>
  /** The same for messages that are already encoded. */
  publishMessages(messages: readonly Message[]): Promise<readonly PublishResult[]>
  /** Waits for what is in flight, then disconnects. Idempotent. */
  close(): Promise<void>
}

/** One connection's worth of publishers and subscriptions. */
export interface Broker<P, S> extends AsyncDisposable {
  readonly transport: Transport<P, S>
  /** A publisher that connects when first used. Throws PermanentError when an option is wrong. */
  publisher(options: P & PublishTelemetry): EventPublisher
  /** Hands every event to `handler`. Resolves when connected; see ConsumeOptions for retries and dead letters. */
  subscribe(
    options: S & ConsumeOptions & { readonly raw?: false; readonly signal?: AbortSignal },
    handler: EventHandler,
  ): Promise<Subscription>
  /** The same for messages that need not be events. */
  subscribe(
    options: S & ConsumeOptions & { readonly raw: true; readonly signal?: AbortSignal },
    handler: MessageHandler,
  ): Promise<Subscription>
  /** Hands events over in batches of up to `maxMessages`; see BatchOptions. Throws RangeError for limits that make no sense. */
  subscribeBatch(
    options: S & BatchOptions & { readonly raw?: false; readonly signal?: AbortSignal },
    handler: BatchHandler,
  ): Promise<Subscription>
  /** The same for messages that need not be events. */
  subscribeBatch(
    options: S & BatchOptions & { readonly raw: true; readonly signal?: AbortSignal },
    handler: MessageBatchHandler,
  ): Promise<Subscription>
  /** Closes subscriptions (with grace), then publishers. Idempotent. */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

/** What a user holds, over any transport: tracing, retries, dead letters and reconnecting are the same code for all. */
export function createBroker<P extends object, S extends object>(transport: Transport<P, S>): Broker<P, S> {
  const publishers = new Set<EventPublisher>()
  const subscriptions = new Set<Subscription>()

  function publisher(options: P & PublishTelemetry): EventPublisher {
    const traced = tracePublisher(transport.publisher(options), transport, options)
    const made = eventPublisher(traced, transport, options, () => publishers.delete(made))
    publishers.add(made)
    return made
  }

  async function subscribe(
    options: S & ConsumeOptions & { readonly raw?: boolean; readonly signal?: AbortSignal },
    handler: EventHandler | MessageHandler,
  ): Promise<Subscription> {
    // The overloads tie `raw` to the handler's type.
    const handling = (
      options.raw ? { raw: true, run: handler } : { raw: false, run: handler }
    ) as HandlerSetting['handler']
    return opened(options, dispatchEach(handling))
  }

  async function subscribeBatch(
    options: S & BatchOptions & { readonly raw?: boolean; readonly signal?: AbortSignal },
    handler: BatchHandler | MessageBatchHandler,
  ): Promise<Subscription> {
    const handling = (
      options.raw ? { raw: true, run: handler } : { raw: false, run: handler }
    ) as BatchSetting['handler']
    return opened(options, dispatchBatches(handling, options))
  }

  async function opened(
    options: S & ConsumeOptions & { readonly signal?: AbortSignal },
    dispatch: (setting: ConsumeSetting, subscriber: Subscriber) => Dispatcher,
  ): Promise<Subscription> {
    const { signal } = options
    const subscription = await openSubscription(
      transport,
      transport.subscriber(options),
      dispatch,
      options,
      signal,
    )
    subscriptions.add(subscription)
    const forget = () => void subscriptions.delete(subscription)
    subscription.closed.then(forget, forget)
    return subscription
  }

  async function close(options?: { readonly graceMs?: number }): Promise<void> {
    await Promise.all([...subscriptions].map((subscription) => subscription.close(options)))
    await Promise.all([...publishers].map((each) => each.close()))
  }

  return { transport, publisher, subscribe, subscribeBatch, close, [Symbol.asyncDispose]: () => close() }
}

function eventPublisher(
  traced: Publisher,
  transport: Pick<Transport<never, never>, 'binding'>,
  { mode: defaultMode = 'binary' }: PublishTelemetry,
  onClose: () => void,
): EventPublisher {
  function encode(input: EventInput | MessageInput, { key, mode = defaultMode }: PublishOptions): Message {
    if (isMessage(input)) return messageOf(input)
    return transport.binding.encode(completeEvent(input), key === undefined ? { mode } : { mode, key })
  }

  function ready(input: EventInput | MessageInput, options: PublishOptions): Message {
    if (options === NO_OPTIONS) return encode(input, options)
    const { key, destination, context } = options
    return {
      ...encode(input, options),
      ...(key === undefined ? {} : { key }),
      ...(destination === undefined ? {} : { destination }),
      ...(context === undefined ? {} : { context }),
    }
  }

  function publish(
    input: EventInput | MessageInput,
    options: PublishOptions = NO_OPTIONS,
  ): Promise<Confirmation> {
    let message: Message
    try {
      message = ready(input, options)
    } catch (error) {
      return Promise.reject(error)
    }
    return traced.publish([message]).then(confirmation)
  }

  async function publishAll(
    inputs: readonly (EventInput | MessageInput)[],
    options: PublishOptions = NO_OPTIONS,
  ): Promise<readonly PublishResult[]> {
    const messages: Message[] = []
    const invalid = new Map<number, ThroughlineError>()
    for (const [index, input] of inputs.entries()) {
      try {
        messages.push(ready(input, options))
      } catch (error) {
        if (!(error instanceof ThroughlineError)) throw error
        invalid.set(index, error)
      }
    }
    const answers = messages.length === 0 ? [] : [...(await traced.publish(messages))]
    return inputs.map((_, index) => {
      const error = invalid.get(index)
      return error === undefined
        ? (answers.shift() ?? { ok: false, error: noAnswer() })
        : { ok: false, error }
    })
  }

  async function close(): Promise<void> {
    onClose()
    await traced.close()
  }

  return {
    destination: traced.destination,
    open: () => traced.open(),
    publish,
    publishAll,
    publishMessages: (messages) => traced.publish(messages),
    close,
    [Symbol.asyncDispose]: close,
  }
}

const NO_OPTIONS: PublishOptions = {}

function confirmation([result]: readonly PublishResult[]): Confirmation {
  if (result === undefined) throw noAnswer()
  if (!result.ok) throw result.error
  return result
}

function noAnswer(): UnavailableError {
  return new UnavailableError('the driver gave no answer')
}

function isMessage(input: EventInput | MessageInput): input is MessageInput {
  return 'body' in input && !('type' in input)
}

const encoder = new TextEncoder()

function messageOf({ body, headers = [], ...rest }: MessageInput): Message {
  return {
    ...rest,
    body: typeof body === 'string' ? encoder.encode(body) : body,
    headers: isPairs(headers) ? headers : Object.entries(headers),
  }
}

function isPairs(headers: NonNullable<MessageInput['headers']>): headers is readonly Header[] {
  return Array.isArray(headers)
}
