import { type Header, headerText } from '@throughline/core'
import type { InjectedContext } from '@throughline/core/tracing'
import { copyWith } from '../messages/copy.ts'
import { type HeaderRecord, headersOf, isReadable, withHeaders } from '../messages/headers.ts'
import type { Hop } from '../messages/sends.ts'

type HeaderMap = ReadonlyMap<unknown, unknown>

/** What is the same of a message before it is serialised and after it was deserialised: its parts may be anything. */
export interface KafkaMessage {
  readonly topic: string
  readonly key?: unknown
  readonly value?: unknown
  readonly headers?: HeaderMap | HeaderRecord | null
  readonly timestamp?: unknown
}

export function isMessage(message: unknown): message is KafkaMessage {
  return (
    typeof message === 'object' && message !== null && 'topic' in message && typeof message.topic === 'string'
  )
}

/** What can be read of headers: those whose names and values are text or bytes. */
export function headerList(headers: KafkaMessage['headers']): Header[] {
  return headers instanceof Map ? headersIn(headers) : headersOf(headers as HeaderRecord)
}

/** The same of names and values as a Map or a list has them. */
export function headersIn(entries: Iterable<readonly [unknown, unknown]>): Header[] {
  const headers: Header[] = []
  for (const [name, value] of entries) {
    const text = nameOf(name)
    if (text !== undefined && isReadable(value)) headers.push([text, value])
  }
  return headers
}

function nameOf(name: unknown): string | undefined {
  if (typeof name === 'string') return name
  return name instanceof Uint8Array
    ? Buffer.from(name.buffer, name.byteOffset, name.length).toString()
    : undefined
}

/** Kafka has no property for it, but a header. */
export function contentTypeOf(headers: readonly Header[]): string | undefined {
  return headerText(headers, 'content-type') ?? undefined
}

/** Keys and bodies before serialisation and after it: undefined where they are the application's own values. */
export function readable(value: unknown): string | Uint8Array | undefined {
  return isReadable(value) ? value : undefined
}

/** What a producer's serializers take: its own header names and values are of these types, so that ours have to be. */
export interface HeaderForm {
  readonly names: 'text' | 'bytes'
  readonly values: 'text' | 'bytes'
}

type Serializer = (value: unknown) => unknown

/**
 * The form that comes out as the text that it was, else text: what is put in quotes by one side has them taken off by the
 * other. Undefined where a serializer takes neither: such a producer's messages can carry no context.
 */
export function headerFormOf(
  headerKey: Serializer | undefined,
  headerValue: Serializer | undefined,
): HeaderForm | undefined {
  const names = formOf(headerKey)
  const values = formOf(headerValue)
  return names === undefined || values === undefined ? undefined : { names, values }
}

const SAMPLE = 'traceparent'

/** Without a serializer the client writes bytes as they are. */
function formOf(serialize: Serializer | undefined): 'text' | 'bytes' | undefined {
  if (serialize === undefined) return 'bytes'
  const ofText = tried(serialize, SAMPLE)
  if (isSample(ofText)) return 'text'
  if (isSample(tried(serialize, Buffer.from(SAMPLE)))) return 'bytes'
  return ofText instanceof Uint8Array ? 'text' : undefined
}

function tried(serialize: Serializer, value: unknown): unknown {
  try {
    return serialize(value)
  } catch {
    return undefined
  }
}

function isSample(value: unknown): boolean {
  return value instanceof Uint8Array && nameOf(value) === SAMPLE
}

/** A copy of a message that carries a context, its headers in the form that its producer serialises. */
export function withHop(message: KafkaMessage, hop: Hop, { names, values }: HeaderForm): KafkaMessage {
  const { headers } = message
  // What is none is for the client to refuse.
  if (hop === null || typeof (headers ?? {}) !== 'object') return message
  const valued: InjectedContext =
    values === 'text' ? hop : { ...hop, headers: hop.headers.map(([name, value]) => [name, bytesOf(value)]) }
  if (headers instanceof Map) return copyWith(message, { headers: mapWith(headers, valued, names) })
  // The names of an object are text; one without any may belong to a producer that takes bytes.
  if (Object.keys(headers ?? {}).length === 0) {
    return copyWith(message, { headers: mapWith([], valued, names) })
  }
  return copyWith(message, { headers: withHeaders(headers as HeaderRecord, valued) })
}

function mapWith(
  entries: Iterable<readonly [unknown, unknown]>,
  { headers, replaces }: InjectedContext,
  names: HeaderForm['names'],
): HeaderMap {
  const copy = new Map<unknown, unknown>()
  for (const [name, value] of entries) {
    const text = nameOf(name)
    if (text === undefined || !replaces.has(text.toLowerCase())) copy.set(name, value)
  }
  for (const [name, value] of headers) copy.set(names === 'text' ? name : Buffer.from(name), value)
  return copy
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value
}
