import { context as contexts } from '@opentelemetry/api'
import type { PublishResult } from '@throughline/core'
import type { TracedConnection } from '../connections.ts'
import { copyWith } from '../copy.ts'
import { errorOf, guarded } from '../guard.ts'
import { type HeaderRecord, headersOf, withHeaders } from '../headers.ts'
import type { Method, Patches } from '../patches.ts'
import { routeName } from '../rabbitmq.ts'
import { confirmed, noteReturn, type Returned, type Routed } from '../returns.ts'
import type { Hop, Send } from '../sends.ts'

/** As far as they are read here. */
export interface Channels {
  readonly Channel: Class
  readonly ConfirmChannel: Class
}
interface Class {
  readonly prototype: object
  new (...args: never[]): object
}
export interface Channel {
  /** amqplib's own, which the connections of both APIs wrap. */
  readonly connection: object
}
export interface PublishOptions {
  readonly mandatory?: boolean
  readonly headers?: HeaderRecord | null
  readonly contentType?: string
  readonly messageId?: string
}
interface ReturnedMessage {
  readonly fields: Pick<Returned, 'exchange' | 'routingKey' | 'replyText'>
  readonly properties: PublishOptions
}
const SENT: PublishResult<Error> = { ok: true }

/** Wraps `publish` of channels and of confirm channels, through which `sendToQueue` goes too. */
export function patchPublish(
  { Channel, ConfirmChannel }: Channels,
  patches: Patches,
  connectionOf: (connection: object) => TracedConnection,
): void {
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
      function (exchange, routingKey, content, options, callback, ...rest) {
        const send = sendOf(this, exchange, routingKey, content, options)
        if (send === undefined) {
          return publish.call(this, exchange, routingKey, content, options, callback, ...rest)
        }
        const traced = withHop(options, send.hop)
        const sent = unconfirmed(send, exchange, routingKey, traced)
        const underWay = underWayOn(this).add(sent)
        if (sent.mandatory) guarded('amqplib mandatory', () => noteReturns(this, underWay))
        const caller = contexts.active()
        const onConfirmed: Method = (error, ...more) => {
          if (underWay.delete(sent)) send.end(error ? failed(error) : confirmed(sent))
          if (callback) contexts.with(caller, callback, undefined, error, ...more)
        }
        try {
          return publish.call(this, exchange, routingKey, content, traced, onConfirmed, ...rest)
        } catch (error) {
          underWay.delete(sent)
          send.end(failed(error))
          throw error
        }
      },
  )

  // amqplib before 2.3 forgets the callbacks that stand behind a confirmed one when a channel is closed.
  patches.wrap(
    ConfirmChannel.prototype,
    'toClosed',
    (toClosed) =>
      function (...args) {
        const result = toClosed.apply(this, args)
        const underWay = underWayOn(this)
        for (const { send } of underWay) send.end(failed(new Error('channel closed')))
        underWay.clear()
        return result
      },
  )

  /** By the channel's `emit`: a listener would be counted among the application's. */
  function noteReturns(channel: Channel, underWay: ReadonlySet<Unconfirmed>): void {
    patches.wrapOwn(
      channel,
      'emit',
      (emit) =>
        function (...args) {
          const [event, message] = args
          if (event === 'return') guarded('amqplib return', () => noteReturn(underWay, returnedOf(message)))
          return emit.apply(this, args)
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
}

/** A message that the broker has yet to confirm. */
interface Unconfirmed extends Routed {
  readonly send: Send
}

function unconfirmed(
  send: Send,
  exchange: unknown,
  routingKey: unknown,
  options: PublishOptions | null | undefined,
): Unconfirmed {
  return {
    send,
    mandatory: Boolean(options?.mandatory),
    exchange: String(exchange ?? ''),
    routingKey: String(routingKey ?? ''),
    messageId: options?.messageId,
    headers: options?.headers,
  }
}

/** Of confirm channels. */
const underWay = new WeakMap<object, Set<Unconfirmed>>()

function underWayOn(channel: object): Set<Unconfirmed> {
  let messages = underWay.get(channel)
  if (messages === undefined) {
    messages = new Set()
    underWay.set(channel, messages)
  }
  return messages
}

function returnedOf({ fields, properties }: ReturnedMessage): Returned {
  const { exchange, routingKey, replyText } = fields
  const { messageId, headers } = properties
  return { exchange, routingKey, replyText, messageId, headers }
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
