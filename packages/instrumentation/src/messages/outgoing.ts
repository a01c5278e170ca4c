import type { Context } from '@opentelemetry/api'
import type { CloudEvent, Header, Message } from '@throughline/core'
import { eventOf } from './event.ts'
import type { System } from './system.ts'

/** One message of the application's, as it gave it to its client. */
export interface Outgoing {
  readonly destination: string
  readonly headers: readonly Header[]
  /** Null or undefined: none, a Kafka tombstone. Nothing is told of what is neither text nor bytes, for the client to refuse. */
  readonly body: unknown
  readonly contentType?: string | undefined
  readonly key?: string | Uint8Array | undefined
  readonly properties?: Message['properties']
  /** True where it carries a time of the application's own: it then says itself when it was sent, whichever the system. */
  readonly isDated?: boolean
  /** The context that it is sent in, where it was given to the client earlier. Default: the active one. */
  readonly context?: Context
  /** The client's own object. */
  readonly own: unknown
}

/** Of a body that only the client's own serializer can read. */
export const NOT_KNOWN: Uint8Array = new Uint8Array()

/**
 * A message as core sees it. What only a span that records asks for is made when it is asked for; a class, as an object
 * with getters of its own is made of closures for each message.
 */
export class SentMessage implements Message {
  readonly destination: string
  readonly headers: readonly Header[]
  readonly contentType?: string
  readonly key?: string | Uint8Array
  readonly properties?: NonNullable<Message['properties']>
  readonly context?: Context
  readonly #body: unknown
  readonly #system: System

  constructor(outgoing: Outgoing, system: System, context?: Context) {
    const { destination, headers, contentType, key, properties, body } = outgoing
    this.destination = destination
    this.headers = headers
    if (contentType !== undefined) this.contentType = contentType
    if (key !== undefined) this.key = key
    if (properties !== undefined) this.properties = properties
    if (context !== undefined) this.context = context
    this.#body = body
    this.#system = system
  }

  get body(): Uint8Array | null {
    const body = this.#body
    if (typeof body === 'string') return Buffer.from(body)
    if (body === null || body === undefined) return null
    return body instanceof Uint8Array ? body : NOT_KNOWN
  }

  get event(): CloudEvent | undefined {
    return eventOf(this.headers, this.contentType, this.body, this.#system.eventHeaders)
  }
}
