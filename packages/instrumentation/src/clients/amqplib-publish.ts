import { context as contexts } from '@opentelemetry/api'
import type { PublishResult } from '@throughline/core'
import { errorOf, guarded } from '../guard.ts'
import { copyWith } from '../messages/copy.ts'
import { type HeaderRecord, headersOf, withHeaders } from '../messages/headers.ts'
import type { Send } from '../messages/sends.ts'
import type { Method, Patches } from '../patches.ts'
import type { TracedConnection } from '../systems/connections.ts'
import { routeName } from '../systems/rabbitmq.ts'
import { confirmed, noteReturn, type Returned, type Routed, SENT } from '../systems/returns.ts'

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
          isRoomLeft = publish.call(this, exchange, routingKey, content, send.options, ...rest)
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
        const underWay = underWayOn(this).add(send)
        if (send.mandatory) guarded('amqplib mandatory', () => noteReturns(this, underWay))
        const caller = contexts.active()
        const onConfirmed: Method = (error, ...more) => {
          if (underWay.delete(send)) send.end(error ? failed(error) : confirmed(send))
          if (callback) contexts.with(caller, callback, undefined, error, ...more)
        }
        try {
          return publish.call(this, exchange, routingKey, content, send.options, onConfirmed, ...rest)
        } catch (error) {
          underWay.delete(send)
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
        for (const send of underWay) send.end(failed(new Error('channel closed')))
        underWay.clear()
        return result
      },
  )

  /** By the channel's `emit`: a listener would be counted among the application's. */
  function noteReturns(channel: Channel, underWay: ReadonlySet<TracedSend>): void {
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
  ): TracedSend | undefined {
    return guarded('amqplib publish', () => {
      const { headers: given, contentType, messageId, mandatory } = options ?? {}
      // For the client to refuse.
      if (given && typeof given !== 'object') return undefined
      const headers = withInherited(given)
      const to = String(exchange ?? '')
      const key = String(routingKey ?? '')
      const send = connectionOf(channel.connection).sends.one({
        destination: routeName(to, key),
        headers: headersOf(headers),
        contentType,
        body: content,
        key,
        properties: messageId === undefined ? undefined : { messageId },
        own: { content, options },
      })
      if (send === undefined) return undefined
      const { hop, end } = send
      const sent = hop === null ? headers : withHeaders(headers, hop)
      return {
        exchange: to,
        routingKey: key,
        messageId,
        mandatory: Boolean(mandatory),
        headers: sent,
        options: hop === null ? options : withOwnHeaders(options, sent),
        end,
      }
    })
  }
}

/** A send with the options that it is to go out with. */
interface TracedSend extends Routed {
  readonly options: PublishOptions | null | undefined
  readonly end: Send['end']
}

/** Of confirm channels, what the broker has yet to confirm. */
const underWay = new WeakMap<object, Set<TracedSend>>()

function underWayOn(channel: object): Set<TracedSend> {
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

/** Options that cannot be copied go as they are: the span has begun, and ends with the message. */
function withOwnHeaders(options: PublishOptions | null | undefined, headers: PublishOptions['headers']) {
  return guarded('the copy of a message', () => copyWith(options ?? {}, { headers })) ?? options
}

/** amqplib sends what an application's headers inherit, too, where it can be listed. */
function withInherited(headers: PublishOptions['headers']): PublishOptions['headers'] {
  if (headers === undefined || headers === null) return headers
  const prototype: unknown = Object.getPrototypeOf(headers)
  if (prototype === Object.prototype || prototype === null) return headers
  const listed: Record<string, unknown> = {}
  for (const name in headers) listed[name] = headers[name]
  return listed
}
