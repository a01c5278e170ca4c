import { unixMs } from '@throughline/core/tracing'
import { errorOf, guarded } from '../guard.ts'
import { whenAnswered } from '../messages/answers.ts'
import { type HeaderRecord, headersOf, withHeaders } from '../messages/headers.ts'
import type { Send } from '../messages/sends.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import type { Patches } from '../patches.ts'
import type { TracedConnection } from '../systems/connections.ts'
import { routeName } from '../systems/rabbitmq.ts'
import { confirmed, noteReturn, type Returned, type Routed } from '../systems/returns.ts'

const SENDING = Symbol('throughline sending')

/** As far as they are read here. */
export interface Channel {
  readonly _conn: object
}
interface Envelope {
  readonly mandatory?: boolean
  readonly exchange?: string
  readonly routingKey?: string
  readonly headers?: HeaderRecord | null | undefined
  readonly contentType?: string
  readonly messageId?: string
  /** Where its send is traced already. */
  readonly [SENDING]?: Sending
}
interface Sending extends Routed {
  /** What the application gave. */
  readonly given: unknown
}
interface ReturnedMessage extends Envelope {
  readonly exchange: string
  readonly routingKey: string
  readonly replyText: string
}

/** What channels have sent and the broker may yet give back. */
const underWay = new WeakMap<object, Set<Sending>>()

type ConnectionOf = (connection: object) => TracedConnection

/** Wraps `basicPublish` of channels: what is published by one, an RPC client or a consumer's answer. */
export function patchBasicPublish(prototype: object, patches: Patches, connectionOf: ConnectionOf): void {
  patches.wrap(
    prototype,
    'basicPublish',
    (publish) =>
      function (params, body, ...rest) {
        const handOver = (envelope: Envelope | string | undefined): Promise<unknown> => {
          const answer = publish.call(this, envelope, body, ...rest)
          const sending = typeof envelope === 'object' ? envelope[SENDING] : undefined
          if (sending?.mandatory) guarded('rabbitmq-client publish', () => noteReturns(this, sending, answer))
          return answer
        }
        // A publisher's has its span already.
        const send = params?.[SENDING] ? undefined : sendOf(() => connectionOf(this._conn), params, body)
        return send === undefined ? handOver(params) : ended(send, () => handOver(send.envelope))
      },
  )

  /**
   * Until the broker has answered, and a turn more: the client tells of a message that came back a turn later than of its
   * confirmation. By the channel's `emit`: a listener would be counted among the application's.
   */
  function noteReturns(channel: Channel, sending: Sending, answer: Promise<unknown>): void {
    const messages = underWay.get(channel) ?? new Set()
    underWay.set(channel, messages.add(sending))
    const forget = () => void setImmediate(() => messages.delete(sending))
    answer.then(forget, forget)
    patches.wrapOwn(
      channel,
      'emit',
      (emit) =>
        function (...args) {
          const [event, message] = args
          if (event === 'basic.return') {
            guarded('rabbitmq-client return', () => noteReturn(messages, returnedOf(message)))
          }
          return emit.apply(this, args)
        },
    )
  }
}

/** Wraps `send` of the publishers that connections create. */
export function patchCreatePublisher(prototype: object, patches: Patches, connectionOf: ConnectionOf): void {
  patches.wrap(
    prototype,
    'createPublisher',
    (createPublisher) =>
      function (...args) {
        const publisher = createPublisher.apply(this, args)
        patches.wrapOwn(publisher, 'send', (publish) => (envelope, body, ...rest) => {
          const send = sendOf(() => connectionOf(this), envelope, body)
          if (send === undefined) return publish(envelope, body, ...rest)
          return ended(send, () => publish(send.envelope, body, ...rest))
        })
        // `retry` tells of the envelope.
        patches.wrapOwn(
          publisher,
          'emit',
          (emit) =>
            function (event, ...told) {
              return emit.call(
                this,
                event,
                ...told.map((each) => (each?.[SENDING] ? each[SENDING].given : each)),
              )
            },
        )
        return publisher
      },
  )
}

/** A send with the envelope that it is to go out in. */
interface TracedSend extends Send {
  readonly envelope: Envelope
  readonly sending: Sending
}

function sendOf(
  connectionOf: () => TracedConnection,
  given: string | Envelope | undefined,
  body: unknown,
): TracedSend | undefined {
  return guarded('rabbitmq-client publish', () => {
    const { sends, config } = connectionOf()
    // As the client copies it: what a class answers by getters is not sent.
    const envelope: Envelope = typeof given === 'string' ? { routingKey: given } : { ...given }
    const { exchange = '', routingKey = '', headers, contentType, messageId, mandatory = false } = envelope
    const send = sends.one({
      destination: routeName(exchange, routingKey),
      headers: headersOf(headers),
      contentType,
      body: bytesOf(body, config),
      key: routingKey,
      properties: messageId === undefined ? undefined : { messageId },
      own: { envelope: given, body },
    })
    if (send === undefined) return undefined
    const { hop, end } = send
    const sent = hop === null ? headers : withHeaders(headers, hop)
    const routed = { mandatory, exchange, routingKey, messageId, headers: sent }
    const sending: Sending = { given, ...routed }
    return { hop, end, sending, envelope: { ...envelope, headers: sent, [SENDING]: sending } }
  })
}

/** Publishes, and ends the span with what became of it. */
function ended<Answer>(send: TracedSend, publish: () => Promise<Answer>): Promise<Answer> {
  const { sending } = send
  return whenAnswered(
    publish,
    () => {
      const endMs = unixMs()
      const end = () => send.end(confirmed(sending), endMs)
      if (sending.mandatory) setImmediate(end)
      else end()
    },
    (error) => send.end({ ok: false, error: errorOf(error) }),
  )
}

function returnedOf({ exchange, routingKey, replyText, messageId, headers }: ReturnedMessage): Returned {
  return { exchange, routingKey, replyText, messageId, headers }
}

/** The client makes text and JSON of bytes, and bytes of them. They are made again only for spans that capture messages. */
export function bytesOf(body: unknown, { capture }: ClientInstrumentationConfig): Uint8Array | null {
  if (body instanceof Uint8Array) return body
  if (capture === undefined || body === undefined) return null
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
