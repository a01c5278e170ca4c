import assert from 'node:assert/strict'
import {
  type ConsumeOptions,
  createBroker,
  type Delivery,
  type EventHandler,
  type EventPublisher,
  type Features,
  type Message,
  type MessageHandler,
  type Publisher,
  type PublishResult,
  type Subscriber,
  type Subscription,
  UnavailableError,
} from '@throughline/core'
import { eventually } from '../eventually.ts'
import type { Capability, Harness, Network, Place, PublisherWishes, SubscriberWishes } from './harness.ts'
import { numberOf, series } from './messages.ts'
import { createReader, type Eventually, type Reader, type ReaderOptions } from './reader.ts'
import { createSender, type Sender } from './sender.ts'
import { type Watch, watched } from './watch.ts'

/** What a case works with: one place, whose types no longer matter. Everything made by it is closed after the case. */
export interface Site {
  readonly features: Features
  has(capability: Capability): boolean
  readonly network: Network
  restart(): Promise<void>
  publisher(wishes?: Partial<PublisherWishes>): Publisher
  sender(): Sender
  subscriber(wishes?: Partial<SubscriberWishes>): Subscriber
  /** The same, connected: tried again while it is unavailable, as core does. */
  opened(wishes?: Partial<SubscriberWishes>): Promise<Subscriber>
  /** Reads a subscriber in the background. */
  reader(subscriber: Subscriber, options?: ReaderOptions): Reader
  /** Waits for an assertion to pass, as long as the suite's patience lasts. */
  readonly eventually: Eventually
  /** Core's publisher over this place. */
  events(): EventPublisher
  /** Core's subscription to this place, its messages as they are. */
  handle(
    options: ConsumeOptions & Partial<SubscriberWishes> & { readonly signal?: AbortSignal },
    handler: MessageHandler,
  ): Promise<Subscription>
  /** The same for events. */
  handleEvents(
    options: ConsumeOptions & Partial<SubscriberWishes>,
    handler: EventHandler,
  ): Promise<Subscription>
  /** What passes between `handle`'s subscriptions and the driver. */
  readonly watch: Watch
  /** Another place of the same harness: where dead letters go. */
  another(): Promise<Site>
  /** Closes what is not closed yet, subscriptions first. */
  close(): Promise<void>
}

const WINDOW = 256
const TIMEOUT_MS = 30_000
/** As many as any case has in flight. */
const IN_FLIGHT = 1000
/** Negative, so that they are told from a case's own. */
const MARKERS = 16

export async function openSite<P extends object, S extends object>(
  harness: Harness<P, S>,
  { shared, patienceMs }: { readonly shared: boolean; readonly patienceMs: number },
): Promise<Site> {
  const place: Place<P, S> = await harness.place({ shared })
  const patiently: Eventually = (assertion) => eventually(assertion, { timeoutMs: patienceMs })
  const closers: (() => Promise<unknown>)[] = []
  const { transport, watch } = watched(place.transport)
  const broker = createBroker(transport)
  closers.push(() => broker.close({ graceMs: 0 }))

  const later = <Closable extends { close(): Promise<void> }>(made: Closable): Closable => {
    closers.unshift(() => made.close())
    return made
  }
  const publisherOptions = ({ timeoutMs = TIMEOUT_MS, inFlight = IN_FLIGHT }: Partial<PublisherWishes>) =>
    place.publisher({ timeoutMs, inFlight })
  const subscriberOptions = ({ window = WINDOW, member }: Partial<SubscriberWishes>) =>
    place.subscriber({ window, ...(member === undefined ? {} : { member }) })
  const publisher = (wishes: Partial<PublisherWishes> = {}) =>
    later(place.transport.publisher(publisherOptions(wishes)))
  const subscriber = (wishes: Partial<SubscriberWishes> = {}) =>
    later(place.transport.subscriber(subscriberOptions(wishes)))

  return {
    features: place.transport.features,
    has: (capability) => harness[capability] !== undefined,
    get network() {
      assert.ok(harness.network, 'the harness has no network: give it one, or say why not by `without`')
      return harness.network
    },
    async restart() {
      assert.ok(harness.restart, 'the harness has no restart: give it one, or say why not by `without`')
      await harness.restart()
    },
    publisher,
    sender() {
      const sender = createSender(publisher())
      closers.unshift(async () => sender.stop())
      return sender
    },
    subscriber,
    async opened(wishes = {}) {
      const made = subscriber(wishes)
      await whileUnavailable(() => made.open(), patiently)
      return made
    },
    reader: (made, options) => createReader(made, patiently, options),
    eventually: patiently,
    events: () => broker.publisher(publisherOptions({})),
    handle: ({ window, member, ...options }, handler) =>
      broker.subscribe(
        { ...subscriberOptions(defined({ window, member })), ...options, raw: true as const },
        handler,
      ),
    handleEvents: ({ window, member, ...options }, handler) =>
      broker.subscribe({ ...subscriberOptions(defined({ window, member })), ...options }, handler),
    watch,
    async another() {
      const other = await openSite(harness, { shared: false, patienceMs })
      closers.push(() => other.close())
      return other
    },
    async close() {
      const failed: unknown[] = []
      // One that cannot be closed must not leave the others open.
      for (const each of closers.splice(0)) await each().catch((error: unknown) => failed.push(error))
      if (failed.length > 0) throw failed[0]
    },
  }
}

async function whileUnavailable(open: () => Promise<void>, patiently: Eventually): Promise<void> {
  let failure: unknown
  await patiently(async () => {
    try {
      await open()
    } catch (error) {
      if (error instanceof UnavailableError) throw error
      // Trying again would only hide it.
      failure = error
    }
  })
  if (failure !== undefined) throw failure
}

function defined(wishes: {
  readonly window: number | undefined
  readonly member: string | undefined
}): Partial<SubscriberWishes> {
  const { window, member } = wishes
  return { ...(window === undefined ? {} : { window }), ...(member === undefined ? {} : { member }) }
}

/** Publishes the messages, accepts them as they arrive, and gives back the deliveries by number. */
export async function exchange(site: Site, messages: readonly Message[]): Promise<readonly Delivery[]> {
  const subscriber = await site.opened()
  const publishing = site.publisher().publish(messages)
  const reader = site.reader(subscriber, {
    onDeliveries: (deliveries) => subscriber.settle(deliveries, ACCEPT),
  })
  const arrived = await reader.until(messages.length)
  allOk(await publishing)
  await reader.stop()
  return arrived
}

/**
 * The numbers that come to the consumer when it comes back, in order. It is known that nothing else does by markers
 * that are published now, of many keys, and arrive behind all that the broker had before. A sender that waits for its
 * answer sends again in its own time: so many of its messages are waited for.
 */
export async function comesAgain(site: Site, resent = 0): Promise<readonly number[]> {
  const subscriber = await site.opened({ window: 1000 + MARKERS })
  const markers = series(MARKERS, { keys: MARKERS, from: -MARKERS })
  const sender = site.sender()
  const sentAgain = site.features.answersSender ? resent : 0
  const seen: number[] = []
  const marked = new Set<number>()
  const complete = Promise.withResolvers<void>()
  const reader = site.reader(subscriber, {
    async onDeliveries(deliveries) {
      await subscriber.settle(deliveries, ACCEPT)
      for (const number of deliveries.map(numberOf)) {
        if (number >= 0) seen.push(number)
        else marked.add(number)
      }
      if (marked.size === MARKERS && seen.length >= sentAgain) complete.resolve()
    },
  })
  reader.ended.then(complete.resolve, complete.reject)
  const sending = sender.send(markers)
  await complete.promise
  allOk(await sending)
  await subscriber.close()
  return seen
}

export const ACCEPT = { outcome: 'accept' } as const

/** Fails with the first error among the results. */
export function allOk(results: readonly PublishResult[]): void {
  for (const result of results) if (!result.ok) throw result.error
}
