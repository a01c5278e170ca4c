import { type Context, context as contexts } from '@opentelemetry/api'
import type { PublishResult } from '@throughline/core'
import { errorOf, guarded, warnOnce } from '../guard.ts'
import { whenAnswered } from '../messages/answers.ts'
import { copyWith } from '../messages/copy.ts'
import { NOT_KNOWN, type Outgoing } from '../messages/outgoing.ts'
import type { Hop, Sends } from '../messages/sends.ts'
import type { Method, Patches } from '../patches.ts'
import {
  contentTypeOf,
  type HeaderForm,
  headerFormOf,
  headerList,
  isMessage,
  type KafkaMessage,
  readable,
  withHop,
} from './platformatic-kafka-message.ts'

type Serializer = (value: unknown) => unknown

/** A producer's own, as far as they are asked here. */
export interface Serializers {
  readonly value?: Serializer
  readonly headerKey?: Serializer
  readonly headerValue?: Serializer
}

/** What is kept of a producer. */
export interface TracedProducer {
  readonly sends: Sends
  /** For messages whose values are the application's own: what is captured of bodies is not captured of them. */
  readonly opaqueSends: Sends
  /** Whether a message without a value is known to be a tombstone. An application's own serializer may write something. */
  readonly writesTombstones: boolean
  /** Undefined: its messages are sent as they are. */
  readonly form: HeaderForm | undefined
}

/** `stringSerializer`: the client's own, which makes nothing of what is no text. */
export function createTracedProducer(
  serializers: Serializers,
  sends: Sends,
  opaqueSends: Sends,
  stringSerializer: unknown,
): TracedProducer {
  const form = headerFormOf(serializers.headerKey, serializers.headerValue)
  if (form === undefined) {
    warnOnce(
      '@platformatic/kafka: a producer has header serializers that take neither text nor bytes, so that its messages carry no trace context. Let them take text',
    )
  }
  const { value: serialize } = serializers
  const writesTombstones = serialize === undefined || serialize === stringSerializer
  return { sends, opaqueSends, writesTombstones, form }
}

interface SendOptions {
  readonly messages: readonly KafkaMessage[]
}
interface SendResult {
  /** Of each partition the first message's. Undefined without acknowledgement. */
  readonly offsets?: readonly { readonly partition: number; readonly offset: bigint }[]
}
interface Started {
  readonly options: SendOptions
  readonly end: (result: PublishResult<Error>) => void
}

/**
 * Wraps what a producer sends with; its transactions and streams send through it. `write` and `end` of its streams
 * remember the context in which each message was given to them.
 */
export function patchProducer(
  producer: object,
  stream: object | undefined,
  tracedOf: (producer: object) => TracedProducer,
  patches: Patches,
): void {
  // A list, as an application may write one object again and again.
  const written = new WeakMap<object, Context[]>()

  patches.wrap(
    producer,
    'send',
    (send) =>
      function (options, callback, ...rest) {
        const started = guarded('@platformatic/kafka send', () => startSends(tracedOf(this), options))
        if (started === undefined) return send.call(this, options, callback, ...rest)
        return typeof callback === 'function'
          ? calledBack(started, callback, (ended) => send.call(this, started.options, ended, ...rest))
          : promised(started, () => send.call(this, started.options, callback, ...rest))
      },
  )
  for (const name of ['write', 'end']) {
    patches.wrap(
      stream,
      name,
      (write) =>
        function (...args) {
          const [message] = args
          if (isMessage(message)) {
            const before = written.get(message)
            if (before === undefined) written.set(message, [contexts.active()])
            else before.push(contexts.active())
          }
          return write.apply(this, args)
        },
    )
  }

  function startSends(producer: TracedProducer, options: SendOptions | undefined): Started | undefined {
    const messages = options?.messages
    if (options === undefined || !Array.isArray(messages) || !messages.every(isMessage)) return undefined
    if (messages.length === 0) return undefined
    const outgoing = messages.map((message) => outgoingOf(message, producer))
    const isOpaque = messages.some(({ value }) => readable(value) === undefined)
    const { sends, opaqueSends, form } = producer
    const started = start(isOpaque ? opaqueSends : sends, outgoing)
    if (started === undefined) return undefined
    const { hops, end } = started
    if (form === undefined) return { options, end }
    // What cannot be copied goes as it is: its spans have begun, and end with it.
    const copy = guarded('the copy of a message', () =>
      copyWith(options, {
        messages: messages.map((message, index) => withHop(message, hops[index] ?? null, form)),
      }),
    )
    return { options: copy ?? options, end }
  }

  function outgoingOf(message: KafkaMessage, { writesTombstones }: TracedProducer): Outgoing {
    const headers = headerList(message.headers)
    const context = contextOf(message)
    return {
      destination: message.topic,
      headers,
      contentType: contentTypeOf(headers),
      body: bodyOf(message.value, writesTombstones),
      key: readable(message.key),
      isDated: typeof message.timestamp === 'bigint',
      own: message,
      ...(context === undefined ? {} : { context }),
    }
  }

  /** Of what a stream sends, in the order in which it was written. */
  function contextOf(message: KafkaMessage): Context | undefined {
    const waiting = written.get(message)
    const context = waiting?.shift()
    if (waiting?.length === 0) written.delete(message)
    return context
  }
}

/** Null for a tombstone. */
function bodyOf(value: unknown, writesTombstones: boolean): string | Uint8Array | null {
  if (value !== null && value !== undefined) return readable(value) ?? NOT_KNOWN
  return writesTombstones ? null : NOT_KNOWN
}

/** What a stream gathers from several writes has a span for each. */
function start(
  sends: Sends,
  outgoing: readonly Outgoing[],
): { readonly hops: readonly Hop[]; readonly end: Started['end'] } | undefined {
  const [first] = outgoing
  if (first !== undefined && outgoing.length === 1) {
    const send = sends.one(first)
    return send && { hops: [send.hop], end: send.end }
  }
  if (first?.context === undefined) return sends.all(outgoing)
  const each = outgoing.map(sends.one)
  return {
    hops: each.map((send) => send?.hop ?? null),
    end(result) {
      for (const send of each) send?.end(result)
    },
  }
}

function calledBack({ options, end }: Started, callback: Method, call: (ended: Method) => unknown): unknown {
  const caller = contexts.active()
  const ended: Method = function (...answer) {
    const [error, result] = answer
    end(resultOf(error, result, options.messages.length === 1))
    return contexts.with(caller, callback, this, ...answer)
  }
  try {
    // The client gives back a promise that a callback may have on it.
    return call(Object.assign(ended, callback))
  } catch (error) {
    end({ ok: false, error: errorOf(error) })
    throw error
  }
}

function promised({ options, end }: Started, call: () => Promise<SendResult>): Promise<SendResult> {
  return whenAnswered(
    call,
    (result) => end(resultOf(null, result, options.messages.length === 1)),
    (error) => end({ ok: false, error: errorOf(error) }),
  )
}

function resultOf(error: unknown, result: SendResult | undefined, isOne: boolean): PublishResult<Error> {
  if (error !== null && error !== undefined) return { ok: false, error: errorOf(error) }
  return guarded('@platformatic/kafka answer', () => placeOf(result, isOne)) ?? { ok: true }
}

/** Where the messages of a call went. Each partition's answer has the offset of its first message alone. */
function placeOf({ offsets = [] }: SendResult = {}, isOne: boolean): PublishResult<Error> {
  const [place] = offsets
  if (place === undefined || offsets.length > 1) return { ok: true }
  const { partition, offset } = place
  return isOne ? { ok: true, partition, offset } : { ok: true, partition }
}
