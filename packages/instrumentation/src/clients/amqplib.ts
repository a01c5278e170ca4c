import { type Attributes, context as contexts } from '@opentelemetry/api'
import type { PublishResult, Settlement } from '@throughline/core'
import { unixMs } from '@throughline/core/tracing'
import { createConnections } from '../connections.ts'
import { copyWith } from '../copy.ts'
import { errorOf, guarded } from '../guard.ts'
import { type HeaderRecord, headersOf, withHeaders } from '../headers.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import type { Method } from '../patches.ts'
import { runHandler } from '../processes.ts'
import {
  deliveryOf,
  RABBITMQ_PORT,
  RABBITMQ_TLS_PORT,
  type Received,
  refusal,
  routeName,
} from '../rabbitmq.ts'
import { createRedeliveries } from '../redeliveries.ts'
import type { Hop, Send } from '../sends.ts'
import { serverAttributes } from '../system.ts'
import { createUnsettled } from '../unsettled.ts'

const CONNECT = 'lib/connect.js'

/**
 * amqplib, its promises and its callbacks: `publish` and `sendToQueue` of channels and confirm channels, `consume`,
 * `get`, and what the application makes of a message by `ack`, `nack` and `reject`. See docs/instrumentation/amqplib.md.
 */
export class AmqplibInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    const files = [CONNECT, 'lib/channel_model.js', 'lib/callback_model.js']
    return { client: 'amqplib', from: '0.10.0', before: 3, files }
  }

  protected patch(
    module: unknown,
    tracing: Tracing<ClientInstrumentationConfig>,
    file: string | undefined,
  ): void {
    if (file === CONNECT) patchConnect(module as object, tracing)
    else patchChannels(module as Channels, tracing)
  }
}

/** As far as they are read here. */
interface Channels {
  readonly Channel: Class
  readonly ConfirmChannel: Class
}
interface Class {
  readonly prototype: object
  new (...args: never[]): object
}
interface Channel {
  /** amqplib's own, which the connections of both APIs wrap. */
  readonly connection: object
  once(event: 'close', listener: () => void): unknown
}
interface PublishOptions {
  readonly headers?: HeaderRecord | null
  readonly contentType?: string
  readonly messageId?: string
}
interface ReceivedMessage {
  readonly content: Uint8Array
  readonly fields: Pick<Received, 'deliveryTag' | 'redelivered' | 'exchange' | 'routingKey'>
  readonly properties: PublishOptions
}

const connections = new WeakMap<object, Attributes>()
const redeliveries = createRedeliveries()
const unsettled = createUnsettled()

const SENT: PublishResult<Error> = { ok: true }

function patchConnect(module: object, { patches }: Tracing<ClientInstrumentationConfig>): void {
  patches.wrap(
    module,
    'connect',
    (connect) =>
      function (url, options, opened, ...rest) {
        if (typeof opened !== 'function') return connect.call(this, url, options, opened, ...rest)
        const onOpened: Method = (error, connection, ...more) => {
          guarded('an amqplib connection', () => {
            if (connection) connections.set(connection, connectionAttributes(url, options))
          })
          return opened(error, connection, ...more)
        }
        return connect.call(this, url, options, onOpened, ...rest)
      },
  )
}

function patchChannels(
  { Channel, ConfirmChannel }: Channels,
  tracing: Tracing<ClientInstrumentationConfig>,
): void {
  const { patches } = tracing
  const connectionOf = createConnections(tracing, (connection) => connections.get(connection) ?? {})

  patches.wrap(
    Channel.prototype,
    'publish',
    (publish) =>
      function (exchange, routingKey, content, options, ...rest) {
        // A confirm channel's own publish has done it.
        const isTraced = this instanceof ConfirmChannel
        const send = isTraced ? undefined : sendOf(this, exchange, routingKey, content, options)
        if (send === undefined) return publish.call(this, exchange, routingKey, content, options, ...rest)
        let isRoomLeft: unknown
        try {
          isRoomLeft = publish.call(this, exchange, routingKey, content, withHop(options, send.hop), ...rest)
        } catch (error) {
          send.end(failed(error))
          throw error
        }
        send.end(SENT)
        return isRoomLeft
      },
  )

  patches.wrap(
    ConfirmChannel.prototype,
    'publish',
    (publish) =>
      function (exchange, routingKey, content, options, confirmed, ...rest) {
        const send = sendOf(this, exchange, routingKey, content, options)
        if (send === undefined) {
          return publish.call(this, exchange, routingKey, content, options, confirmed, ...rest)
        }
        const end = openUntilClose(this, send)
        const caller = contexts.active()
        const onConfirmed: Method = (error, ...more) => {
          end(error ? failed(error) : SENT)
          if (confirmed) contexts.with(caller, confirmed, undefined, error, ...more)
        }
        try {
          const traced = withHop(options, send.hop)
          return publish.call(this, exchange, routingKey, content, traced, onConfirmed, ...rest)
        } catch (error) {
          end(failed(error))
          throw error
        }
      },
  )

  patches.wrap(
    Channel.prototype,
    'consume',
    (consume) =>
      function (queue, handler, options, ...rest) {
        const traced =
          typeof handler === 'function'
            ? guarded('amqplib consume', () => tracedHandler(this, queue, handler, options))
            : undefined
        return consume.call(this, queue, traced ?? handler, options, ...rest)
      },
  )

  patches.wrap(
    Channel.prototype,
    'get',
    (get) =>
      function (queue, options, answered, ...rest) {
        const active = contexts.active()
        const startMs = unixMs()
        const received = (message: unknown): void => {
          guarded('amqplib get', () => {
            if (!isReceived(message)) return
            const delivery = deliveryOf(receivedOf(queue, message))
            connectionOf(this.connection).processes.received({ delivery, own: message }, startMs, active)
          })
        }
        if (typeof answered === 'function') {
          const onAnswered: Method = (error, message, ...more) => {
            received(message)
            return answered(error, message, ...more)
          }
          return get.call(this, queue, options, onAnswered, ...rest)
        }
        const answer: unknown = get.call(this, queue, options, answered, ...rest)
        if (!(answer instanceof Promise)) return answer
        return answer.then((message: unknown) => {
          received(message)
          return message
        })
      },
  )

  settling('ack', (message, allUpTo) => [tagOf(message), allUpTo, 'accept'])
  settling('ackAll', () => [0, true, 'accept'])
  settling('nack', (message, allUpTo, requeue) => [tagOf(message), allUpTo, refusal(requeue)])
  settling('nackAll', (requeue) => [0, true, refusal(requeue)])
  settling('reject', (message, requeue) => [tagOf(message), false, refusal(requeue)])

  function settling(
    name: string,
    outcomeOf: (...args: unknown[]) => [tag: number, multiple: unknown, outcome: Settlement['outcome']],
  ): void {
    patches.wrap(
      Channel.prototype,
      name,
      (settle) =>
        function (...args) {
          const result = settle.apply(this, args)
          guarded(`amqplib ${name}`, () => {
            const [tag, multiple, outcome] = outcomeOf(...args)
            unsettled.settle(this, tag, Boolean(multiple), outcome)
          })
          return result
        },
    )
  }

  function sendOf(
    channel: Channel,
    exchange: unknown,
    routingKey: unknown,
    content: Uint8Array,
    options: PublishOptions | null | undefined,
  ): Send | undefined {
    return guarded('amqplib publish', () => {
      const key = String(routingKey ?? '')
      return connectionOf(channel.connection).sends.one({
        destination: routeName(String(exchange ?? ''), key),
        headers: headersOf(ownHeaders(options)),
        contentType: options?.contentType,
        body: content,
        key,
        properties: options?.messageId === undefined ? undefined : { messageId: options.messageId },
        own: { content, options },
      })
    })
  }

  function tracedHandler(
    channel: Channel,
    queue: unknown,
    handler: Method,
    options: { readonly noAck?: boolean } | undefined,
  ): Method {
    const { processes } = connectionOf(channel.connection)
    const isAcknowledged = !options?.noAck

    function begin(message: unknown) {
      // Null: the broker has ended the consumer.
      if (!isReceived(message) || !tracing.isEnabled()) return undefined
      const handling = redeliveries.begin(processes, receivedOf(queue, message), message, isAcknowledged)
      if (handling !== undefined && isAcknowledged) unsettled.add(channel, tagOf(message), handling)
      return handling
    }

    return function (message, ...rest) {
      const handling = guarded('an amqplib message', () => begin(message))
      if (handling === undefined) return handler.call(this, message, ...rest)
      return runHandler(handling.processing, () => handler.call(this, message, ...rest), handling)
    }
  }
}

/** What ends the sends of a confirm channel that the broker has not confirmed. */
const open = new WeakMap<object, Set<(result: PublishResult<Error>) => void>>()

/**
 * Ends the send once, at the latest when its channel is closed: amqplib before 2.3 forgets the callbacks that stand
 * behind a confirmed one then.
 */
function openUntilClose(channel: Channel, send: Send): (result: PublishResult<Error>) => void {
  let ends = open.get(channel)
  if (ends === undefined) {
    const made = new Set<(result: PublishResult<Error>) => void>()
    channel.once('close', () => {
      for (const end of made) end(failed(new Error('channel closed')))
    })
    open.set(channel, made)
    ends = made
  }
  const unconfirmed = ends
  const end = (result: PublishResult<Error>) => {
    if (unconfirmed.delete(end)) send.end(result)
  }
  unconfirmed.add(end)
  return end
}

function failed(error: unknown): PublishResult<Error> {
  return { ok: false, error: errorOf(error) }
}

function withHop(options: PublishOptions | null | undefined, hop: Hop): PublishOptions | null | undefined {
  if (hop === null) return options
  return copyWith(options ?? {}, { headers: withHeaders(ownHeaders(options), hop) })
}

/** amqplib sends what an application's headers inherit, too. */
function ownHeaders(options: PublishOptions | null | undefined): HeaderRecord | null | undefined {
  return options?.headers && copyWith(options.headers, {})
}

function isReceived(message: unknown): message is ReceivedMessage {
  return typeof message === 'object' && message !== null && 'fields' in message && 'properties' in message
}

function receivedOf(queue: unknown, { content, fields, properties }: ReceivedMessage): Received {
  const { deliveryTag, redelivered, exchange, routingKey } = fields
  const { headers, contentType, messageId } = properties
  return {
    queue: String(queue ?? ''),
    exchange,
    routingKey,
    deliveryTag,
    redelivered,
    headers,
    contentType,
    messageId,
    body: content,
  }
}

function tagOf(message: unknown): number {
  return isReceived(message) ? message.fields.deliveryTag : -1
}

/** From what `connect` was given, the vhost and all that is secret left out. */
function connectionAttributes(url: unknown, options: unknown): Attributes {
  const name = (options as { clientProperties?: { connection_name?: unknown } } | undefined)?.clientProperties
    ?.connection_name
  return {
    ...serverOf(url),
    ...(typeof name === 'string' ? { 'messaging.client.id': name } : {}),
  }
}

function serverOf(url: unknown): Attributes {
  if (typeof url === 'string' && url !== '') {
    return serverAttributes(url, url.startsWith('amqps:') ? RABBITMQ_TLS_PORT : RABBITMQ_PORT)
  }
  const { protocol, hostname, port } = (url || {}) as {
    readonly [Name in 'protocol' | 'hostname' | 'port']?: unknown
  }
  const address = typeof hostname === 'string' && hostname !== '' ? hostname : 'localhost'
  const usual = protocol === undefined || protocol === 'amqp' ? RABBITMQ_PORT : RABBITMQ_TLS_PORT
  return { 'server.address': address, 'server.port': Number(port || usual) }
}
