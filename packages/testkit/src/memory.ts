import {
  type Binding,
  createBinding,
  type Delivery,
  type Message,
  type Publisher,
  type PublishResult,
  type Settlement,
  type Subscriber,
  type ThroughlineError,
  type Transport,
  UnavailableError,
} from '@throughline/core'
import { type Consumer, createQueue, type Entry, type Queue } from './memory-queue.ts'

/** What the in-memory broker does as one real broker or another. */
export interface MemoryOptions {
  /** Whether `Delivery.attempt` counts the broker's deliveries, as RabbitMQ's quorum queues do; default false: always 1. */
  readonly countsDeliveries?: boolean
}

/** Where messages without a destination of their own go. */
export interface MemoryPublisherOptions {
  readonly destination: string
  /** How long a confirmation is waited for, milliseconds. Default: for ever. */
  readonly timeoutMs?: number
}

/** Which destinations, in which group, and how far ahead is read. */
export interface MemorySubscriberOptions {
  readonly destinations: readonly string[]
  /** Subscribers of one group share the messages, those of different groups all get them; default `default`. */
  readonly group?: string
  /** Unsettled deliveries at which it stops reading; default 256. */
  readonly window?: number
  /** Deliveries in one array at most; default 64. */
  readonly maxMessages?: number
}

/** A message that was rejected, and why. */
export interface Rejection {
  readonly delivery: Delivery
  readonly reason: Error
  readonly deadLettered: boolean
}

/** The in-memory transport with what a test does to it and asks of it. */
export interface MemoryTransport extends Transport<MemoryPublisherOptions, MemorySubscriberOptions> {
  /** The next `count` messages are not stored and answered with this error. */
  failNext(count: number, error: ThroughlineError): void
  /** Loses every connection: subscribers throw UnavailableError and may connect again, unsettled messages are delivered again, held confirmations are lost. */
  disconnect(): void
  /** Disconnects, and is unreachable until `restore()`. */
  refuse(): void
  /** Stores messages and holds their confirmations back until `restore()`. */
  stall(): void
  /** Ends `refuse()` and `stall()`. */
  restore(): void
  /** Everything that was ever published to a destination, in order. */
  messages(destination: string): readonly Message[]
  /** How many messages a group has not settled, delivered or not. */
  unsettled(group?: string): number
  /** What was rejected, in order, with the reason. */
  rejections(): readonly Rejection[]
}

const encoder = new TextEncoder()

/** CloudEvents as on Kafka: `ce_` headers of UTF-8. */
const binding: Binding = createBinding({
  specification: 'CloudEvents in memory',
  headerName: (attribute) => `ce_${attribute}`,
  attributeName: (header) => (/^ce_/i.test(header) ? header.slice(3).toLowerCase() : null),
  encodeValue: (text) => text,
  decodeValue: (text) => text,
  absentBody: null,
})

/**
 * A broker in the process that keeps every rule of the contracts: a log a destination, groups, order by key, windows,
 * late settling, redelivery of what was not settled. Publishers and subscribers of one such transport meet each other.
 */
export function memoryTransport({ countsDeliveries = false }: MemoryOptions = {}): MemoryTransport {
  const log: Entry[] = []
  const sizes = new Map<string, bigint>()
  const groups = new Map<string, { readonly destinations: Set<string>; readonly queue: Queue }>()
  const rejections: Rejection[] = []
  const connections = new Set<() => void>()
  let failures = { count: 0, error: new UnavailableError('unavailable') as ThroughlineError }
  let reachable = true
  let confirmations = openGate()

  function append(message: Message, destination: string): bigint {
    const offset = sizes.get(destination) ?? 0n
    sizes.set(destination, offset + 1n)
    const entry = {
      message: stored(message),
      position: { destination, offset, timestampMs: Date.now() },
      orderKey: orderKeyOf(message.key),
      sequence: log.length,
    }
    log.push(entry)
    for (const group of groups.values()) if (group.destinations.has(destination)) group.queue.add(entry)
    return offset
  }

  /** A group's queue; it starts with all that is in the destinations' logs already. */
  function queueOf(name: string, destinations: readonly string[]): Queue {
    const group = groups.get(name) ?? { destinations: new Set(), queue: createQueue() }
    groups.set(name, group)
    const added = new Set(destinations.filter((destination) => !group.destinations.has(destination)))
    for (const destination of added) group.destinations.add(destination)
    for (const entry of log) if (added.has(entry.position.destination)) group.queue.add(entry)
    return group.queue
  }

  function requireReachable(): void {
    if (!reachable) throw unreachable()
  }

  function disconnect(): void {
    confirmations.lose()
    if (confirmations.stalled) confirmations = stalledGate()
    for (const lose of [...connections]) lose()
  }

  function publisher({ destination, timeoutMs }: MemoryPublisherOptions): Publisher {
    const inFlight = new Set<Promise<unknown>>()
    let closed = false

    async function publishOne(message: Message): Promise<PublishResult> {
      if (closed) return { ok: false, error: new UnavailableError('the publisher is closed') }
      if (!reachable) return { ok: false, error: unreachable() }
      if (failures.count > 0) {
        failures.count--
        return { ok: false, error: failures.error }
      }
      const offset = append(message, message.destination ?? destination)
      const confirmed = await inTime(confirmations.opened, timeoutMs)
      if (confirmed === null) {
        return { ok: false, error: new UnavailableError(`not confirmed within ${timeoutMs} ms`) }
      }
      return confirmed ? { ok: true, offset } : { ok: false, error: lost() }
    }

    return {
      destination,
      open: async () => requireReachable(),
      async publish(messages) {
        const results = Promise.all(messages.map(publishOne))
        inFlight.add(results)
        return results.finally(() => inFlight.delete(results))
      },
      async close() {
        closed = true
        await Promise.all(inFlight)
      },
    }
  }

  function subscriber(options: MemorySubscriberOptions): Subscriber {
    const { destinations, group = 'default', window = 256, maxMessages = 64 } = options
    let connection: { readonly consumer: Consumer; readonly queue: Queue; readonly end: () => void } | null =
      null
    let closed = false

    function connect() {
      if (closed) throw new UnavailableError('the subscriber is closed')
      requireReachable()
      if (connection !== null) return connection
      const queue = queueOf(group, destinations)
      const lostSignal = new AbortController()
      const consumer: Consumer = { signal: lostSignal.signal, unsettled: new Map() }
      const end = () => {
        connections.delete(end)
        connection = null
        lostSignal.abort(lost())
        queue.leave(consumer)
      }
      connections.add(end)
      queue.join(consumer)
      connection = { consumer, queue, end }
      return connection
    }

    async function* deliveries(signal?: AbortSignal): AsyncGenerator<readonly Delivery[]> {
      if (closed || signal?.aborted) return
      const { consumer, queue } = connect()
      signal?.addEventListener('abort', queue.notify)
      try {
        while (!closed && !signal?.aborted) {
          consumer.signal.throwIfAborted()
          const room = Math.min(maxMessages, window - consumer.unsettled.size)
          const taken = room > 0 ? queue.take(consumer, { messages: room, countsDeliveries }) : []
          if (taken.length > 0) yield taken
          else await queue.changed()
        }
      } finally {
        signal?.removeEventListener('abort', queue.notify)
      }
    }

    async function settle(settled: readonly Delivery[], outcome: Settlement): Promise<void> {
      if (connection === null) return
      const { consumer, queue } = connection
      for (const delivery of settled) {
        const item = consumer.unsettled.get(delivery)
        if (item === undefined) continue
        consumer.unsettled.delete(delivery)
        if (outcome.outcome === 'release') queue.giveBack([item], outcome.delayMs)
        if (outcome.outcome === 'reject') {
          rejections.push({ delivery, reason: outcome.reason, deadLettered: outcome.deadLettered })
        }
      }
      queue.notify()
    }

    return {
      attributes: { 'messaging.consumer.group.name': group },
      open: async () => void connect(),
      deliveries,
      settle,
      async close() {
        closed = true
        connection?.end()
      },
    }
  }

  return {
    system: 'memory',
    sendOperation: 'send',
    features: {
      acknowledges: true,
      ordering: 'key',
      headers: 'bytes',
      sharing: 'group',
      replay: false,
      answersSender: false,
    },
    binding,
    attributes: {
      connection: {},
      sent: () => ({}),
      confirmed: (result) =>
        result.ok && result.offset !== undefined ? { 'memory.offset': Number(result.offset) } : {},
      delivered: ({ position }) => ({ 'memory.offset': Number(position.offset ?? -1n) }),
    },
    publisher,
    subscriber,
    failNext(count, error) {
      failures = { count, error }
    },
    disconnect,
    refuse() {
      reachable = false
      disconnect()
    },
    stall() {
      if (!confirmations.stalled) confirmations = stalledGate()
    },
    restore() {
      reachable = true
      confirmations.open()
      confirmations = openGate()
    },
    messages: (destination) =>
      log.filter(({ position }) => position.destination === destination).map(({ message }) => message),
    unsettled: (group = 'default') => groups.get(group)?.queue.unsettled() ?? 0,
    rejections: () => rejections,
  }
}

/** What confirmations wait for; opens to false when they are lost. */
interface Gate {
  readonly stalled: boolean
  readonly opened: Promise<boolean>
  open(): void
  lose(): void
}

function openGate(): Gate {
  return { stalled: false, opened: Promise.resolve(true), open() {}, lose() {} }
}

function stalledGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  return { stalled: true, opened: promise, open: () => resolve(true), lose: () => resolve(false) }
}

/** Null when it has not come in time. */
async function inTime(confirmed: Promise<boolean>, timeoutMs: number | undefined): Promise<boolean | null> {
  if (timeoutMs === undefined) return confirmed
  const late = Promise.withResolvers<null>()
  const timer = setTimeout(late.resolve, timeoutMs, null)
  try {
    return await Promise.race([confirmed, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** A copy of what would have gone over the wire; the caller may reuse its buffer. */
function stored({ body, headers, contentType, key, properties }: Message): Message {
  return {
    body: body === null ? null : Uint8Array.from(body),
    headers: headers.map(([name, value]) => [
      name,
      typeof value === 'string' ? value : Uint8Array.from(value),
    ]),
    ...(contentType === undefined ? {} : { contentType }),
    ...(key === undefined ? {} : { key: typeof key === 'string' ? key : Uint8Array.from(key) }),
    ...(properties === undefined ? {} : { properties }),
  }
}

/** One spelling for equal text and bytes: a character a byte. */
function orderKeyOf(key: string | Uint8Array | undefined): string | undefined {
  if (key === undefined) return undefined
  return Buffer.from(typeof key === 'string' ? encoder.encode(key) : key).toString('latin1')
}

function unreachable(): UnavailableError {
  return new UnavailableError('the memory broker cannot be reached')
}

function lost(): UnavailableError {
  return new UnavailableError('the connection to the memory broker was lost')
}
