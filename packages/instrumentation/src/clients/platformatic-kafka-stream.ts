import type { Readable } from 'node:stream'
import { type Delivery, type Header, isTraced } from '@throughline/core'
import { errorOf, guarded } from '../guard.ts'
import type { Attempts } from '../messages/attempts.ts'
import { letGo, take } from '../messages/in-hands.ts'
import { callListeners, follow } from '../messages/listeners.ts'
import { NOT_KNOWN } from '../messages/outgoing.ts'
import { type Processes, type Processing, wasHandedOver } from '../messages/processes.ts'
import type { Method, Patches } from '../patches.ts'
import {
  contentTypeOf,
  headerList,
  headersIn,
  isMessage,
  type KafkaMessage,
  readable,
} from './platformatic-kafka-message.ts'

/** A `MessagesStream`, as far as it is read here. */
interface MessagesStream extends Readable {
  readonly consumer: object
  /** The next offsets of those committed, by `topic:partition`. */
  readonly offsetsCommitted: ReadonlyMap<string, bigint>
}
interface ReadMessage extends KafkaMessage {
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: bigint
  readonly commit: unknown
  /** All of them, where the client tells: a name may come more than once. Not in every version. */
  readonly headerEntries?: readonly (readonly [unknown, unknown])[]
}

/** What is kept of a consumer. */
export interface TracedConsumer {
  readonly processes: Processes
  /** For messages whose values are the application's own: what is captured of bodies is not captured of them. */
  readonly opaqueProcesses: Processes
  readonly attempts: Attempts
}

/** One message in the application's hands. */
interface Handed {
  readonly processing: Processing
  /** Ends its span. `isLeft`: whether it was handled to its end is not known. */
  end(failure?: unknown, isLeft?: boolean): void
}

/** Of a stream that is read otherwise than by listeners. */
interface StreamState {
  /** Iterators that have not ended, by what ends the message in hand of each. */
  readonly iterators: Set<() => void>
  /** The listeners of what the stream is piped into. */
  readonly pipes: WeakSet<object>
}

/**
 * Wraps how a stream of messages hands them over: to `data` listeners, to loops, to what it is piped into, or to who calls
 * `read`. Nothing is done while the stream fetches ahead. `noCommit`: what `commit` is of a message that the client
 * commits by itself.
 */
export function patchStream(
  prototype: object | undefined,
  noCommit: unknown,
  tracedOf: (consumer: object) => TracedConsumer,
  patches: Patches,
): void {
  const states = new WeakMap<MessagesStream, StreamState>()

  patches.wrap(
    prototype,
    'emit',
    (emit) =>
      function (...args) {
        const [event] = args
        if (event === 'data') return emitMessage(this, emit, args)
        // Who asks an iterator for no more, and does not leave it either, tells it in no other way.
        if (event === 'close') for (const leave of states.get(this)?.iterators ?? []) leave()
        return emit.apply(this, args)
      },
  )
  patches.wrap(
    prototype,
    'pipe',
    (pipe) =>
      function (this: MessagesStream, ...args) {
        const before = this.rawListeners('data')
        const destination = pipe.apply(this, args)
        guarded('@platformatic/kafka pipe', () => {
          const { pipes } = stateOf(this)
          for (const listener of this.rawListeners('data'))
            if (!before.includes(listener)) pipes.add(listener)
        })
        return destination
      },
  )
  patches.wrap(
    prototype,
    'read',
    (read) =>
      function (this: MessagesStream, ...args) {
        const message = read.apply(this, args)
        // Otherwise it is read by the stream itself, to be emitted, or by an iterator.
        if (message !== null && this.readableFlowing === false && !states.get(this)?.iterators.size) {
          begin(this, message)?.end()
        }
        return message
      },
  )
  for (const name of [Symbol.asyncIterator, 'iterator']) {
    patches.wrap(
      prototype,
      name,
      (iterate) =>
        function (this: MessagesStream, ...args) {
          const iterator = iterate.apply(this, args)
          if (!isTraced(this.consumer)) {
            guarded('@platformatic/kafka iterator', () => patchIterator(this, iterator))
          }
          return iterator
        },
    )
  }

  function stateOf(stream: MessagesStream): StreamState {
    let state = states.get(stream)
    if (state === undefined) {
      state = { iterators: new Set(), pipes: new WeakSet() }
      states.set(stream, state)
    }
    return state
  }

  /** A message is in a loop's hands until the loop asks for the next one. */
  function patchIterator(stream: MessagesStream, iterator: object): void {
    const { iterators } = stateOf(stream)
    let current: Handed | undefined

    const handed = (result: IteratorResult<unknown>) => {
      leave(undefined, false)
      current = result.done ? undefined : begin(stream, result.value)
      if (current !== undefined) take(current.processing)
      if (result.done) over()
      return result
    }
    const over = () => void iterators.delete(abandon)
    const leave = (failure: unknown, isLeft: boolean) => {
      if (current === undefined) return
      letGo(current.processing)
      current.end(failure, isLeft)
      current = undefined
    }
    const abandon = () => leave(undefined, true)
    iterators.add(abandon)
    patches.wrapOwn(
      iterator,
      'next',
      (next) =>
        function (...args) {
          leave(undefined, false)
          return next.apply(this, args).then(handed)
        },
    )
    patches.wrapOwn(
      iterator,
      'return',
      (end) =>
        function (...args) {
          leave(undefined, true)
          over()
          return end.apply(this, args)
        },
    )
    patches.wrapOwn(
      iterator,
      'throw',
      (end) =>
        function (...args) {
          leave(args[0] ?? errorOf(args[0]), true)
          over()
          return end.apply(this, args)
        },
    )
  }

  /** The event of a message, with its listeners in the message's context. */
  function emitMessage(stream: MessagesStream, emit: Method, args: unknown[]): unknown {
    if (stream.listenerCount('data') === 0) return emit.apply(stream, args)
    const handed = begin(stream, args[1])
    if (handed === undefined) return emit.apply(stream, args)
    const end = (failure: unknown) => handed.end(failure)
    try {
      // What the stream is piped into keeps messages until it comes to them, in whichever context that is.
      const { context } = handed.processing
      const { isHeard, promises } = callListeners(stream, emit, args, context, states.get(stream)?.pipes)
      follow(promises, end)
      return isHeard
    } catch (error) {
      end(error ?? errorOf(error))
      throw error
    }
  }

  /** Undefined for what is not traced, or was handed over before: to a listener, and then to a loop. */
  function begin(stream: MessagesStream, message: unknown): Handed | undefined {
    return guarded('a @platformatic/kafka message', () => {
      const { consumer } = stream
      if (!isRead(message) || isTraced(consumer) || wasHandedOver(message)) return undefined
      return start(stream, message, tracedOf(consumer))
    })
  }

  function start(
    stream: MessagesStream,
    message: ReadMessage,
    { processes, opaqueProcesses, attempts }: TracedConsumer,
  ): Handed | undefined {
    const { topic, partition, offset, value } = message
    const place = `${topic}:${partition}`
    const range = { first: offset, last: offset }
    const before = attempts.before(place, range)
    const isOpaque = value !== undefined && readable(value) === undefined
    const processing = (isOpaque ? opaqueProcesses : processes).one({
      delivery: deliveryOf(message, (before?.attempt ?? 0) + 1),
      own: message,
      // A listener may feed a loop, too: Node's `on(stream, 'data')` does.
      isLooped: true,
      previous: before?.span,
    })
    if (processing === undefined) return undefined
    return {
      processing,
      end(failure, isLeft = false) {
        guarded('the end of a @platformatic/kafka message', () => {
          const isCommitted =
            message.commit === noCommit || (stream.offsetsCommitted.get(place) ?? 0n) > offset
          processing.end(failure, isCommitted ? 'accept' : undefined)
          const comesAgain = !isCommitted && (isLeft || failure !== undefined)
          if (comesAgain) attempts.note(place, range, processing.process.span)
          else if (before !== undefined) attempts.note(place, range, undefined)
        })
      },
    }
  }
}

function isRead(message: unknown): message is ReadMessage {
  return isMessage(message) && 'offset' in message && typeof message.offset === 'bigint'
}

function deliveryOf(message: ReadMessage, attempt: number): Delivery {
  const { topic, partition, offset, timestamp, headers, headerEntries, key, value } = message
  const list: Header[] = headerEntries === undefined ? headerList(headers) : headersIn(headerEntries)
  const contentType = contentTypeOf(list)
  const text = readable(key)
  const timestampMs = Number(timestamp)
  return {
    message: {
      headers: list,
      body: bodyOf(value),
      ...(contentType === undefined ? {} : { contentType }),
      ...(text === undefined ? {} : { key: text }),
    },
    // A record may have none: -1.
    position: { destination: topic, partition, offset, ...(timestampMs > 0 ? { timestampMs } : {}) },
    attempt,
  }
}

/** Null for a tombstone, which comes as undefined: deserializers make null of other things. */
function bodyOf(value: unknown): Uint8Array | null {
  if (value === undefined) return null
  const body = readable(value) ?? NOT_KNOWN
  return typeof body === 'string' ? Buffer.from(body) : body
}
