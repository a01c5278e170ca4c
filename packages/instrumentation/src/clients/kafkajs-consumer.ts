import type { Delivery, Message, Position } from '@throughline/core'
import { guarded } from '../guard.ts'
import type { Attempts } from '../messages/attempts.ts'
import { copyWith } from '../messages/copy.ts'
import { headersOf } from '../messages/headers.ts'
import { type Outcomes, type Processes, type Processing, runHandler } from '../messages/processes.ts'
import { contentTypeOf, type KafkaMessage } from './kafkajs-message.ts'

interface ReadMessage extends KafkaMessage {
  readonly offset: string
  readonly timestamp: string
}
interface MessagePayload {
  readonly topic: string
  readonly partition: number
  readonly message: ReadMessage
}
interface BatchPayload {
  readonly batch: {
    readonly topic: string
    readonly partition: number
    readonly messages: readonly ReadMessage[]
  }
}
interface Started {
  readonly processing: Processing
  readonly outcomes: Outcomes
}
type Handler<Payload> = (this: unknown, payload: Payload, ...rest: unknown[]) => unknown
interface RunOptions {
  readonly eachMessage?: Handler<MessagePayload> | null
  readonly eachBatch?: Handler<BatchPayload> | null
  readonly eachBatchAutoResolve?: boolean
  readonly autoCommit?: boolean
}

/** What is known of a consumer. */
interface TracedConsumer {
  readonly processes: Processes
  /** What failed last, also of an earlier run. */
  readonly attempts: Attempts
  /** What its own options say of it. */
  readonly autoCommit?: boolean | undefined
  /** Asked for each message: the client goes on calling handlers of ours. */
  isEnabled(): boolean
}

/** The options of a consumer's `run` with its handlers traced; undefined where there are none. */
export function tracedRun(
  options: RunOptions | undefined,
  { processes, attempts, autoCommit, isEnabled }: TracedConsumer,
): RunOptions | undefined {
  if (options === undefined || options === null) return undefined
  const { eachMessage, eachBatch, eachBatchAutoResolve } = options
  // Where the application commits or resolves by itself, it has yet to say what becomes of what was handled.
  const isAccepted = (options.autoCommit ?? autoCommit) !== false
  const isResolved = isAccepted && eachBatchAutoResolve !== false
  return copyWith(options, {
    ...(typeof eachMessage === 'function' ? { eachMessage: traced(eachMessage, messageStarted) } : {}),
    ...(typeof eachBatch === 'function' ? { eachBatch: traced(eachBatch, batchStarted) } : {}),
  })

  function traced<Payload>(
    handler: Handler<Payload>,
    start: (payload: Payload) => Started | undefined,
  ): Handler<Payload> {
    return function (payload, ...rest) {
      const started = isEnabled() ? guarded('a kafkajs handler', () => start(payload)) : undefined
      if (started === undefined) return handler.call(this, payload, ...rest)
      return runHandler(started.processing, () => handler.call(this, payload, ...rest), started.outcomes)
    }
  }

  function messageStarted({ topic, partition, message }: MessagePayload): Started | undefined {
    const offset = BigInt(message.offset)
    const range = { first: offset, last: offset }
    const place = `${topic}/${partition}`
    const before = attempts.before(place, range)
    const processing = processes.one({
      delivery: deliveryOf(topic, partition, message, offset, (before?.attempt ?? 0) + 1),
      own: message,
      previous: before?.span,
    })
    return processing && { processing, outcomes: outcomesOf(processing, isAccepted, place, range) }
  }

  function batchStarted({ batch: { topic, partition, messages } }: BatchPayload): Started | undefined {
    const offsets = messages.map(({ offset }) => BigInt(offset))
    const [first] = offsets
    const last = offsets.at(-1)
    if (first === undefined || last === undefined) return undefined
    const range = { first, last }
    const place = `${topic}/${partition}`
    const before = attempts.before(place, range)
    const attempt = (before?.attempt ?? 0) + 1
    const processing = processes.batch(
      messages.map((message, index) => ({
        delivery: deliveryOf(topic, partition, message, offsets[index], attempt),
        own: message,
        previous: before?.span,
      })),
    )
    return processing && { processing, outcomes: outcomesOf(processing, isResolved, place, range) }
  }

  function outcomesOf(
    { process }: Processing,
    isAccepted: boolean,
    place: string,
    range: { readonly first: bigint; readonly last: bigint },
  ): Outcomes {
    return {
      awaits: true,
      threw: 'release',
      returned: isAccepted ? 'accept' : undefined,
      onEnd: (failed) => attempts.note(place, range, failed ? process.span : undefined),
    }
  }
}

function deliveryOf(
  topic: string,
  partition: number,
  message: ReadMessage,
  offset: bigint | undefined,
  attempt: number,
): Delivery {
  const { key, value, headers, timestamp } = message
  const contentType = contentTypeOf(message)
  const read: Writable<Message> = {
    headers: headersOf(headers),
    body: typeof value === 'string' ? Buffer.from(value) : (value ?? null),
  }
  if (contentType !== undefined) read.contentType = contentType
  if (key !== undefined && key !== null) read.key = key
  const position: Writable<Position> = { destination: topic, partition }
  if (offset !== undefined) position.offset = offset
  // The record may have no time: kafkajs says -1, Confluent's client nothing.
  const timestampMs = Number(timestamp)
  if (timestampMs > 0) position.timestampMs = timestampMs
  return { message: read, position, attempt }
}

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] }
