import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  asUnavailable,
  bufferOf,
  createLinkedList,
  createOpenCalls,
  errorMessage,
  type LinkedList,
  type Message,
  noneSent,
  PermanentError,
  type Publisher,
  type PublishResult,
  prepareEach,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { AMQPConnectionError, type Channel, type Envelope } from 'rabbitmq-client'
import { type Connection, type SharedConnection, withinLimit } from './connection.ts'
import { parseRoute, routeName } from './destination.ts'
import { keepBodies } from './driver.ts'
import { BLOCKED_CODE, rabbitmqError, replyCodeOf, UNROUTABLE_CODE } from './errors.ts'
import { type Endpoint, requireInteger, requireName } from './options.ts'
import { blameCode, noteReturn, type Outgoing } from './outgoing.ts'
import { contentHeaderOf } from './properties.ts'
import { declareTopology, type Topology, validateTopology } from './topology.ts'

/** Where messages go, and how. */
export interface RabbitmqPublisherOptions {
  /** The exchange that messages go to. Default `''`, which takes the routing key for a queue's name. */
  readonly exchange?: string
  /** Of messages that have no `destination` of their own. Default `''`. */
  readonly routingKey?: string
  /** The broker writes messages in durable queues to disk, so that they survive its restart. Default true. */
  readonly persistent?: boolean
  /** A message that no queue takes is an error (`TL_RABBITMQ_UNROUTABLE`), instead of being dropped by the broker without a word. Default true. */
  readonly mandatory?: boolean
  /** Exchanges, queues and bindings to declare first, on every connection. Default: what is there is assumed. */
  readonly declare?: Topology
  /** The `app_id` of every message. Default none. */
  readonly appId?: string
  /** How long a confirmation is waited for, milliseconds. Default 30 000. */
  readonly timeoutMs?: number
}

/** The messages of one call; an error stands for one that cannot be sent. */
type Prepared = readonly (Outgoing | ThroughlineError)[]

/** A channel in confirm mode, and what is under way on it. */
interface Link {
  readonly connection: Connection
  readonly channel: Channel
  /** The messages of each call, in the order of the calls. */
  readonly calls: LinkedList<Prepared>
  /** Why the broker closed it. */
  reason?: unknown
}

/** Publisher on a channel of a shared connection. Throws PermanentError for options that cannot work. */
export function rabbitmqPublisher(
  endpoint: Endpoint,
  shared: SharedConnection,
  options: RabbitmqPublisherOptions,
): Publisher {
  const { exchange = '', routingKey = '', persistent = true, mandatory = true, appId } = options
  const { declare: topology = {}, timeoutMs = 30_000 } = options
  requireName('exchange', exchange)
  requireName('routingKey', routingKey)
  requireName('appId', appId ?? '')
  requireInteger('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  validateTopology(topology)
  const { address, frameMaxBytes } = endpoint
  const calls = createOpenCalls()
  const leave = shared.join()
  let linking: Promise<Link> | null = null
  let current: Link | null = null
  let closed: Promise<void> | null = null

  function link(): Promise<Link> {
    if (linking === null) {
      const started = connectLink().catch((error: unknown) => {
        if (linking === started) linking = null
        throw rabbitmqError(error, `cannot publish at ${address}`)
      })
      linking = started
    }
    return linking
  }

  async function connectLink(): Promise<Link> {
    const connection = await shared.open()
    // Nothing that is asked of it now would be answered in time.
    refuseBlocked(connection)
    return withinLimit(connection, endpoint, async () => {
      const channel = await connection.openChannel()
      const made: Link = { connection, channel, calls: createLinkedList() }
      keepBodies(channel)
      channel.on('error', (error: unknown) => {
        made.reason ??= error
      })
      channel.on('basic.return', (returned) => noteReturn(outgoingOf(made.calls), returned))
      channel.once('close', () => forget(made))
      try {
        await declareTopology(channel, topology)
        await channel.confirmSelect()
      } catch (error) {
        void connection.closeChannel(channel)
        throw error
      }
      if (!channel.active) throw connection.over ?? new UnavailableError(`${address} closed the channel`)
      current = made
      return made
    })
  }

  function forget(link: Link): void {
    if (current !== link) return
    current = null
    linking = null
  }

  /** What was never confirmed would be kept for ever, and once more with each time that it is published again. */
  function abandon(link: Link, error: UnavailableError): void {
    // Sent once when the alarm ends; on a new connection it would be sent a second time.
    if (link.connection.blocked !== null) return
    link.reason ??= error
    forget(link)
    void link.connection.closeChannel(link.channel)
  }

  function outgoing(message: Message): Outgoing {
    const { body, destination } = message
    const route = destination === undefined ? { exchange, routingKey } : parseRoute(destination, exchange)
    for (const name of [route.exchange, route.routingKey]) {
      if (Buffer.byteLength(name) <= 255) continue
      throw new PermanentError(
        `the destination "${name.slice(0, 64)}…" has more than the 255 bytes that AMQP allows`,
      )
    }
    const envelope = {
      ...contentHeaderOf(message, frameMaxBytes),
      exchange: route.exchange,
      routingKey: route.routingKey,
      mandatory,
      durable: persistent,
      appId,
    }
    // The driver leaves out what is undefined, though its types do not say so.
    return { ...route, envelope: envelope as Envelope, body: bufferOf(body) }
  }

  async function send(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const prepared = prepareEach(messages, outgoing)
    try {
      const made = await link()
      refuseBlocked(made.connection)
      return await sendAll(made, prepared)
    } catch (error) {
      // While an alarm blocks the connection this takes promises alone: whoever tried again at once would keep out the word
      // that the alarm is over, and all other events, for ever.
      await nextTurn()
      return noneSent(prepared, asUnavailable(error))
    }
  }

  /** The driver would keep the message until the alarm ends, and every repetition of it too. */
  function refuseBlocked({ blocked }: Connection): void {
    if (blocked === null) return
    const message = `${address} takes no messages at present: ${blocked}`
    throw new UnavailableError(message, { code: BLOCKED_CODE })
  }

  function sendAll(link: Link, prepared: Prepared): Promise<readonly PublishResult[]> {
    const results: (PublishResult | undefined)[] = new Array(prepared.length)
    const place = link.calls.add(prepared)
    link.connection.gatherWrites()
    return new Promise((resolve) => {
      let missing = prepared.length
      const timer = setTimeout(giveUp, timeoutMs)
      function answer(index: number, result: PublishResult): void {
        if (results[index] !== undefined) return
        results[index] = result
        missing--
        if (missing > 0) return
        clearTimeout(timer)
        // The driver tells of a returned message a turn later than of its confirmation, which comes behind it.
        setImmediate(() => {
          link.calls.remove(place)
          resolve(prepared.map((each, at) => final(each, results[at])))
        })
      }
      function giveUp(): void {
        const message = `${address} did not confirm the message within ${timeoutMs} ms`
        const error = new UnavailableError(message, { code: 'TL_TIMEOUT' })
        for (const index of prepared.keys()) answer(index, { ok: false, error })
        abandon(link, error)
      }
      for (const [index, each] of prepared.entries()) {
        if (each instanceof Error) {
          answer(index, { ok: false, error: each })
          continue
        }
        link.channel.basicPublish(each.envelope, each.body).then(
          () => answer(index, { ok: true }),
          (error: unknown) => answer(index, { ok: false, error: refusal(link, each, error) }),
        )
      }
    })

    function final(each: Outgoing | ThroughlineError, result: PublishResult | undefined): PublishResult {
      if (!(each instanceof Error) && each.returned !== undefined) {
        return { ok: false, error: unroutable(each, each.returned) }
      }
      return result ?? { ok: false, error: new UnavailableError(`${address} did not answer`) }
    }
  }

  /** Why a message was not confirmed. The broker closes the channel for one bad message: only that one is to blame. */
  function refusal(link: Link, message: Outgoing, error: unknown): ThroughlineError {
    const failed = `publishing to "${routeName(message)}" at ${address} failed`
    if (error instanceof AMQPConnectionError || link.connection.over !== null) {
      return (
        link.connection.over ?? new UnavailableError(`${failed}: ${errorMessage(error)}`, { cause: error })
      )
    }
    if (replyCodeOf(error) === 'NACK') {
      return new UnavailableError(`${failed}: the broker refused it`, {
        cause: error,
        code: 'TL_RABBITMQ_NACK',
      })
    }
    // The driver gives the reason to the first of them alone, right before the others.
    if (replyCodeOf(error) !== 'CH_CLOSE') link.reason ??= error
    const reason = link.reason ?? error
    const blamed = blameCode(message, reason)
    if (blamed !== undefined) {
      return new PermanentError(`${failed}: ${errorMessage(reason)}`, { cause: reason, code: blamed })
    }
    return new UnavailableError(`${failed}: the channel was closed: ${errorMessage(reason)}`, {
      cause: reason,
    })
  }

  function unroutable(message: Outgoing, reason: string): PermanentError {
    const failed = `"${routeName(message)}" at ${address} leads to no queue`
    return new PermanentError(`${failed}: ${reason}`, { code: UNROUTABLE_CODE })
  }

  function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    if (messages.length === 0) return Promise.resolve([])
    if (closed !== null)
      return Promise.resolve(noneSent(messages, new UnavailableError('the publisher is closed')))
    return calls.add(send(messages))
  }

  async function finish(): Promise<void> {
    await calls.ended()
    const open = await linking?.catch(() => null)
    if (open) await open.connection.closeChannel(open.channel)
    await leave()
  }

  return {
    destination: routeName({ exchange, routingKey }),
    async open() {
      if (closed !== null) throw new PermanentError('the publisher is closed')
      await link()
    },
    publish,
    close() {
      closed ??= finish()
      return closed
    },
  }
}

function* outgoingOf(calls: Iterable<Prepared>): Generator<Outgoing> {
  for (const prepared of calls) {
    for (const each of prepared) if (!(each instanceof Error)) yield each
  }
}
