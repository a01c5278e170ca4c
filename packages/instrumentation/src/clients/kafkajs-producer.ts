import type { PublishResult } from '@throughline/core'
import { errorOf, guarded } from '../guard.ts'
import { whenAnswered } from '../messages/answers.ts'
import { copyWith } from '../messages/copy.ts'
import { headersOf, isReadable, withHeaders } from '../messages/headers.ts'
import type { Outgoing } from '../messages/outgoing.ts'
import type { Hop, Sends } from '../messages/sends.ts'
import type { Patches } from '../patches.ts'
import { contentTypeOf, type KafkaMessage } from './kafkajs-message.ts'

interface TopicMessages {
  readonly topic: string
  readonly messages: readonly KafkaMessage[]
}
interface TopicsBatch {
  readonly topicMessages: readonly TopicMessages[]
}
interface RecordMetadata {
  readonly partition: number
  readonly baseOffset?: string
  readonly offset?: string
}
type End = (result: PublishResult<Error>) => void

/** What is sent in place of what the application gave. */
interface Traced {
  readonly topics: readonly TopicMessages[]
  readonly count: number
  readonly end: End
}

/** What our `sendBatch` hands on: a client whose own calls its `send` for each is not traced a second time. */
const sent = new WeakSet<object>()

/** Wraps what a producer, or a transaction of one, sends with. */
export function patchSender(sender: object, sends: Sends, patches: Patches): void {
  patches.wrapOwn(
    sender,
    'send',
    (send) =>
      function (record, ...rest) {
        const traced = guarded('kafkajs send', () => tracedTopics(sends, [record]))
        if (traced === undefined) return send.call(this, record, ...rest)
        return ended(() => send.call(this, traced.topics[0], ...rest), traced)
      },
  )
  patches.wrapOwn(
    sender,
    'sendBatch',
    (sendBatch) =>
      function (batch, ...rest) {
        const traced = guarded('kafkajs sendBatch', () => tracedBatch(sends, batch))
        if (traced === undefined) return sendBatch.call(this, batch, ...rest)
        return ended(() => sendBatch.call(this, traced.batch, ...rest), traced)
      },
  )
  patches.wrapOwn(
    sender,
    'transaction',
    (begin) =>
      async function (...args) {
        const transaction = await begin.apply(this, args)
        guarded('a kafkajs transaction', () => patchSender(transaction, sends, patches))
        return transaction
      },
  )
}

function tracedBatch(sends: Sends, batch: TopicsBatch | undefined) {
  const topics = batch?.topicMessages
  const traced = Array.isArray(topics) ? tracedTopics(sends, topics) : undefined
  if (batch === undefined || traced === undefined) return undefined
  if (traced.topics === topics) return { ...traced, batch }
  for (const topic of traced.topics) sent.add(topic)
  const copy = guarded('the copy of a batch', () => copyWith(batch, { topicMessages: traced.topics }))
  return { ...traced, batch: copy ?? batch }
}

/**
 * The same topics with the contexts in copies of their messages, and what ends their spans. Undefined: they are not
 * traced; the client says itself what is wrong with arguments that are none.
 */
function tracedTopics(sends: Sends, topics: readonly TopicMessages[]): Traced | undefined {
  const outgoing: Outgoing[] = []
  for (const each of topics) {
    if (!Array.isArray(each?.messages) || typeof each.topic !== 'string' || sent.has(each)) return undefined
    for (const message of each.messages) {
      if (typeof message !== 'object' || message === null) return undefined
      outgoing.push(outgoingOf(each.topic, message))
    }
  }
  const [first] = outgoing
  if (first === undefined) return undefined
  if (outgoing.length === 1) {
    const send = sends.one(first)
    return send && { topics: withHops(topics, [send.hop]), count: 1, end: send.end }
  }
  const batch = sends.all(outgoing)
  return batch && { topics: withHops(topics, batch.hops), count: outgoing.length, end: batch.end }
}

function outgoingOf(topic: string, message: KafkaMessage): Outgoing {
  const { key, value, headers, timestamp } = message
  return {
    destination: topic,
    headers: headersOf(headers),
    contentType: contentTypeOf(message),
    body: value,
    key: isReadable(key) ? key : undefined,
    // The client sets it for those that say nothing.
    isDated: Boolean(timestamp),
    own: message,
  }
}

/** What cannot be copied goes as it is: its spans have begun, and end with it. */
function withHops(topics: readonly TopicMessages[], hops: readonly Hop[]): readonly TopicMessages[] {
  let index = 0
  const withOwn = ({ messages }: TopicMessages) => ({
    messages: messages.map((message) => withHop(message, hops[index++] ?? null)),
  })
  const copies = guarded('the copy of a message', () => topics.map((each) => copyWith(each, withOwn(each))))
  return copies ?? topics
}

/** One without a value is refused, and shown in the error as it was given. */
function withHop(message: KafkaMessage, hop: Hop): KafkaMessage {
  if (hop === null || message.value === undefined) return message
  return copyWith(message, { headers: withHeaders(message.headers, hop) })
}

/** Makes the client's call and ends spans with its answer, which goes on. */
function ended(
  call: () => Promise<readonly RecordMetadata[]>,
  { count, end }: Traced,
): Promise<readonly RecordMetadata[]> {
  return whenAnswered(
    call,
    (records) => end(guarded('kafkajs answer', () => placeOf(records, count)) ?? { ok: true }),
    (error) => end({ ok: false, error: errorOf(error) }),
  )
}

/** Where the one message of a call went; of several, each partition's answer tells of its first message alone. */
function placeOf(records: readonly RecordMetadata[], count: number): PublishResult<Error> {
  const [record] = records
  if (record === undefined || records.length > 1) return { ok: true }
  if (count > 1) return { ok: true, partition: record.partition }
  const offset = record.baseOffset ?? record.offset
  // With acks=0 the broker says nothing, and kafkajs makes it -1.
  if (typeof offset !== 'string' || offset.startsWith('-')) return { ok: true, partition: record.partition }
  return { ok: true, partition: record.partition, offset: BigInt(offset) }
}
