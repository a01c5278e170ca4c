import type { Context } from '@opentelemetry/api'
import type { CloudEvent } from './event.ts'

/** A header's value: text, or bytes where the transport allows them and they are not UTF-8. */
export type HeaderValue = string | Uint8Array

/** Name and value. A name may occur more than once; order is kept. */
export type Header = readonly [name: string, value: HeaderValue]

/** What brokers know of a message beside its headers. Each transport maps those it has (docs: properties). */
export interface MessageProperties {
  readonly messageId?: string
  readonly correlationId?: string
  /** Where an answer goes: AMQP `reply-to`, MQTT 5 Response Topic. */
  readonly replyTo?: string
  readonly expiryMs?: number
  /** When the message was made, Unix milliseconds. */
  readonly timestampMs?: number
  /** 0 to 255, AMQP `priority`. */
  readonly priority?: number
}

/** What a transport carries. Never mutated by Throughline: a decorator that changes one makes a new one. */
export interface Message {
  /** null is no body at all: a Kafka tombstone. */
  readonly body: Uint8Array | null
  readonly headers: readonly Header[]
  /** Kept apart from the headers: MQTT 5 and AMQP have a property for it, HTTP and Kafka a `content-type` header. */
  readonly contentType?: string
  /** What order is kept by. Kafka's record key; bytes stay bytes. */
  readonly key?: string | Uint8Array
  /** Overrides the publisher's destination for this message. */
  readonly destination?: string
  readonly properties?: MessageProperties
  /** The OpenTelemetry context on whose behalf it is published: parent of its `send` span. Never sent itself. Default: the active context. */
  readonly context?: Context
  /** The event it was encoded from, for its span's attributes. Never sent itself. */
  readonly event?: CloudEvent | undefined
}

/** First value of a header, compared without case; null where there is none. Bytes are read as UTF-8. */
export function headerText(headers: readonly Header[], name: string): string | null {
  for (const [candidate, value] of headers) {
    if (candidate.length === name.length && candidate.toLowerCase() === name) return textOf(value)
  }
  return null
}

const utf8 = new TextDecoder()

/** A header's value as text; bytes are read as UTF-8, malformed sequences as U+FFFD. */
export function textOf(value: HeaderValue): string {
  return typeof value === 'string' ? value : utf8.decode(value)
}
