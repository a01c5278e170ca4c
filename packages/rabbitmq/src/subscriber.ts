import {
  asFault,
  createInbox,
  type Delivery,
  errorMessage,
  type Inbox,
  PermanentError,
  type Settlement,
  type Subscriber,
  UnavailableError,
} from '@throughline/core'
import type { AsyncMessage, Channel } from 'rabbitmq-client'
import { type Connection, type SharedConnection, withinLimit } from './connection.ts'
import { deliveryOf, heldOf, type RabbitmqDelivery } from './delivery.ts'
import { keepBodies } from './driver.ts'
import { CANCELLED_CODE, rabbitmqError } from './errors.ts'
import { type Endpoint, fail, requireInteger, requireName } from './options.ts'
import { createOutstanding, type Outstanding } from './outstanding.ts'
import { type Arguments, declareTopology, type Topology, validateTopology } from './topology.ts'

/** What a queue or stream is read with. */
export interface RabbitmqSubscriberOptions {
  /** The queue, quorum queue or stream to read. It has to exist, or to be among what is declared. */
  readonly queue: string
  /** Unsettled deliveries at which the broker stops sending (prefetch), 1 to 65 535. Default 256. */
  readonly window?: number
  /** Exchanges, queues and bindings to declare first, on every connection. Default: what is there is assumed. */
  readonly declare?: Topology
  /** Deliveries of one routing key are handled one after the other. False: side by side, up to `concurrency`. Default true. */
  readonly ordered?: boolean
  /** What becomes of a delivery that is given up and was not published as a dead letter: `drop` it, or give it to the `broker`'s dead letter exchange. Default `drop`. */
  readonly rejected?: 'drop' | 'broker'
  /** Where reading a stream begins: `first`, `last` (chunk), `next` (what comes from now on), an offset, or a time. Default `next`. A lost connection goes on behind what was settled. */
  readonly offset?: 'first' | 'last' | 'next' | number | bigint | Date
  /** Nobody else may read the queue meanwhile; waits while somebody does. Default false. */
  readonly exclusive?: boolean
  /** The consumer's own: `x-priority` and others of the broker's. */
  readonly arguments?: Arguments
}

/** One channel's worth of reading. */
interface Link {
  readonly connection: Connection
  readonly channel: Channel
  readonly inbox: Inbox<RabbitmqDelivery>
  readonly outstanding: Outstanding
  /** Nothing comes any more, and what came is no longer ours. */
  end(error: Error): void
}

/** Subscriber on a channel of a shared connection. Throws PermanentError for options that cannot work. */
export function rabbitmqSubscriber(
  endpoint: Endpoint,
  shared: SharedConnection,
  options: RabbitmqSubscriberOptions,
): Subscriber {
  const { queue, window = 256, declare: topology = {}, ordered = true, rejected = 'drop' } = options
  if (queue === '') fail('queue: must not be empty')
  requireName('queue', queue)
  requireInteger('window', window, 1, 65_535)
  validateTopology(topology)
  const source = { queue, topology, ordered }
  const isStream = topology.queues?.some(({ name, type }) => name === queue && type === 'stream') ?? false
  const isReadFromNow = options.offset === 'next' || (options.offset === undefined && isStream)
  const leave = shared.join()
  let linking: Promise<Link> | null = null
  let current: Link | null = null
  /** Where a stream is read on. */
  let resumeAt: bigint | Date | undefined
  let closed: Promise<void> | null = null

  function link(): Promise<Link> {
    if (closed !== null) return Promise.reject(new PermanentError('the subscriber is closed'))
    if (linking === null) {
      const started = connectLink().catch((error: unknown) => {
        if (linking === started) linking = null
        throw rabbitmqError(error, `cannot read "${queue}" at ${endpoint.address}`)
      })
      linking = started
    }
    return linking
  }

  async function connectLink(): Promise<Link> {
    const connection = await shared.open()
    return withinLimit(connection, endpoint, async () => {
      const channel = await connection.openChannel()
      // It was closed while it was connecting, and did not wait.
      if (closed !== null) {
        void connection.closeChannel(channel)
        throw new PermanentError('the subscriber is closed')
      }
      const made = startLink(connection, channel)
      try {
        await declareTopology(channel, topology)
        await channel.basicQos({ prefetchCount: window })
        const began = new Date()
        await channel.basicConsume(consumer(), made.receive)
        // On the next connection `next` would mean what comes from then on.
        if (isReadFromNow) resumeAt ??= began
      } catch (error) {
        void connection.closeChannel(channel)
        throw error
      }
      if (connection.over !== null) throw connection.over
      return made.link
    })
  }

  function consumer() {
    const { exclusive = false, arguments: more = {} } = options
    const offset = resumeAt ?? options.offset
    const args = offset === undefined ? more : { ...more, 'x-stream-offset': offsetArgument(offset) }
    return { queue, exclusive, arguments: args }
  }

  function startLink(connection: Connection, channel: Channel) {
    const inbox = createInbox<RabbitmqDelivery>()
    const outstanding = createOutstanding()
    const life = new AbortController()
    const made: Link = { connection, channel, inbox, outstanding, end }
    let reason: unknown

    function end(error: Error): void {
      if (life.signal.aborted) return
      resumeAt = outstanding.resumeAt ?? resumeAt
      if (current === made) {
        current = null
        linking = null
      }
      inbox.end(closed === null ? error : undefined)
      life.abort(error)
      void connection.closeChannel(channel)
    }

    function receive(message: AsyncMessage): void {
      if (life.signal.aborted || closed !== null) return
      try {
        const delivery = deliveryOf(message, source, life.signal)
        outstanding.add(message.deliveryTag, delivery.position.offset)
        inbox.push(delivery)
      } catch (error) {
        end(asFault(error))
      }
    }

    keepBodies(channel)
    channel.on('error', (error: unknown) => {
      reason ??= error
    })
    channel.once('basic.cancel', () => {
      const message = `${endpoint.address} ended the reading of "${queue}": it was deleted, or its node is away`
      end(new UnavailableError(message, { code: CANCELLED_CODE }))
    })
    channel.once('close', () => {
      // The connection says why it is over right behind this.
      queueMicrotask(() => {
        const why = reason === undefined ? '' : `: ${errorMessage(reason)}`
        const message = `the channel to ${endpoint.address} was closed${why}`
        end(connection.over ?? new UnavailableError(message, { cause: reason }))
      })
    })
    current = made
    return { link: made, receive }
  }

  async function* deliveries(signal?: AbortSignal): AsyncGenerator<readonly Delivery[]> {
    if (closed !== null || signal?.aborted) return
    const { inbox } = await link()
    for (;;) {
      const arrived = await inbox.take(signal)
      if (arrived === null) return
      yield arrived
    }
  }

  async function settle(deliveries: readonly Delivery[], settlement: Settlement): Promise<void> {
    // What is released stays unacknowledged: the broker delivers it again when the channel closes.
    if (settlement.outcome === 'release' || current === null) return
    const { connection, channel, outstanding } = current
    if (!channel.active) return
    connection.gatherWrites()
    const held = deliveries.map(heldOf).filter((each) => each !== undefined)
    const tags = outstanding.take(held.filter(({ life }) => !life.aborted).map(({ tag }) => tag))
    if (settlement.outcome === 'reject' && rejected === 'broker' && !settlement.deadLettered) {
      for (const deliveryTag of tags) channel.basicNack({ deliveryTag, requeue: false })
    } else acknowledge(channel, outstanding, tags)
  }

  async function finish(): Promise<void> {
    const open = current
    open?.inbox.end()
    // One that is still connecting sees that it is closed; its connection may be hanging.
    if (open !== null) await open.connection.closeChannel(open.channel)
    open?.end(new PermanentError('the subscriber is closed'))
    await leave()
  }

  return {
    attributes: {},
    open: async () => void (await link()),
    deliveries,
    settle,
    close() {
      closed ??= Promise.resolve().then(finish)
      return closed
    },
  }
}

/** In one frame where nothing older is unsettled. */
function acknowledge(channel: Channel, outstanding: Outstanding, tags: readonly number[]): void {
  const newest = Math.max(...tags)
  if (tags.length > 1 && outstanding.isClearUpTo(newest)) {
    channel.basicAck({ deliveryTag: newest, multiple: true })
  } else for (const deliveryTag of tags) channel.basicAck({ deliveryTag })
}

/** A time as how long ago it is: the driver cannot write AMQP's timestamps. */
function offsetArgument(offset: NonNullable<RabbitmqSubscriberOptions['offset']>): string | number | bigint {
  if (!(offset instanceof Date)) return offset
  return `${Math.max(0, Math.ceil((Date.now() - offset.getTime()) / 1000))}s`
}
