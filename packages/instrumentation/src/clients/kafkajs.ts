import type { Attributes } from '@opentelemetry/api'
import type { Delivery, PublishResult } from '@throughline/core'
import { createAttempts } from '../attempts.ts'
import { guarded } from '../guard.ts'
import { headersOf, withHeaders } from '../headers.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { KAFKA_PORT, kafka } from '../kafka.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { createProcesses, type Processes, runHandler } from '../processes.ts'
import { createSends, type Hop, type Outgoing, type Sends } from '../sends.ts'
import { serverAttributes } from '../system.ts'

/**
 * kafkajs: `send` and `sendBatch` of producers and of transactions, `eachMessage` and `eachBatch` of consumers. See
 * docs/instrumentation/kafkajs.md.
 */
export class KafkaJsInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: 'kafkajs', from: '2.0.0', before: 3 }
  }

  protected patch(module: unknown, tracing: Tracing<ClientInstrumentationConfig>): void {
    const { Kafka } = module as { readonly Kafka: { readonly prototype: object } }
    patchKafka(Kafka, module as object, tracing)
  }
}

/** As far as it is read here, of kafkajs and of what mirrors it. */
interface KafkaMessage {
  readonly key?: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: Readonly<Record<string, unknown>>
}
interface TopicMessages {
  readonly topic: string
  readonly messages: readonly KafkaMessage[]
}
interface TopicsBatch {
  readonly topicMessages: readonly TopicMessages[]
}
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
interface RecordMetadata {
  readonly topicName: string
  readonly partition: number
  readonly baseOffset?: string
  readonly offset?: string
}

/** Wraps the class `Kafka`, whose instances make producers and consumers. */
export function patchKafka(
  Kafka: { readonly prototype: object },
  module: object,
  { patches, scope, config }: Tracing<ClientInstrumentationConfig>,
): void {
  const connections = new WeakMap<object, Attributes>()
  const connectionOf = (client: object) => connections.get(client) ?? {}
  patches.construct(module, 'Kafka', (client, [options]) => {
    connections.set(client, connectionAttributes(options))
  })

  patches.wrap(
    Kafka.prototype,
    'producer',
    (original) =>
      function (...args) {
        const producer = original.apply(this, args)
        const sends = createSends({ system: kafka, connection: connectionOf(this) }, config(), scope)
        patchSender(producer, sends)
        return producer
      },
  )

  patches.wrap(
    Kafka.prototype,
    'consumer',
    (original) =>
      function (...args) {
        const consumer = original.apply(this, args)
        const { groupId } = args[0] ?? {}
        const attributes = groupId === undefined ? {} : { 'messaging.consumer.group.name': String(groupId) }
        const processes = createProcesses(
          { system: kafka, connection: connectionOf(this) },
          attributes,
          config(),
          scope,
        )
        patches.wrapOwn(
          consumer,
          'run',
          (run) =>
            function (options, ...rest) {
              return run.call(this, traced(options, processes), ...rest)
            },
        )
        return consumer
      },
  )

  /** A producer, or a transaction of one. */
  function patchSender(sender: object, sends: Sends): void {
    patches.wrapOwn(
      sender,
      'send',
      (send) =>
        function (record: TopicMessages, ...rest) {
          const sent = guarded('kafkajs send', () => sendTopics(sends, [record]))
          if (sent === undefined) return send.call(this, record, ...rest)
          return ended(send.call(this, sent.topics[0], ...rest), sent.end)
        },
    )
    patches.wrapOwn(
      sender,
      'sendBatch',
      (sendBatch) =>
        function (batch: TopicsBatch, ...rest) {
          const sent = guarded('kafkajs sendBatch', () => sendTopics(sends, batch.topicMessages))
          if (sent === undefined) return sendBatch.call(this, batch, ...rest)
          return ended(sendBatch.call(this, { ...batch, topicMessages: sent.topics }, ...rest), sent.end)
        },
    )
    patches.wrapOwn(
      sender,
      'transaction',
      (transaction) =>
        async function (...args) {
          const begun = await transaction.apply(this, args)
          patchSender(begun, sends)
          return begun
        },
    )
  }
}

/** The same topics with the contexts in copies of their messages, and what ends their spans. Undefined: as they were. */
function sendTopics(sends: Sends, topics: readonly TopicMessages[]) {
  const outgoing = topics.flatMap(({ topic, messages }) =>
    messages.map((message) => outgoingOf(topic, message)),
  )
  const [first] = outgoing
  if (first === undefined) return undefined
  if (outgoing.length === 1) {
    const send = sends.one(first)
    if (send === undefined) return undefined
    const end = (result: PublishResult<Error>) => send.end(result)
    return { topics: withHops(topics, [send.hop]), end }
  }
  const batch = sends.all(outgoing)
  if (batch === undefined) return undefined
  const { hops, end } = batch
  return { topics: withHops(topics, hops), end: (result: PublishResult<Error>) => end(result) }
}

function outgoingOf(topic: string, message: KafkaMessage): Outgoing {
  const { key, value } = message
  return {
    destination: topic,
    headers: headersOf(message.headers),
    contentType: contentTypeOf(message),
    body: value,
    key: key ?? undefined,
    own: message,
  }
}

/** Kafka has no property for it. */
function contentTypeOf({ headers }: KafkaMessage): string | undefined {
  const value = headers?.['content-type']
  if (typeof value === 'string') return value
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined
}

function withHops(topics: readonly TopicMessages[], hops: readonly Hop[]): TopicMessages[] {
  let index = 0
  return topics.map((each) => ({
    ...each,
    messages: each.messages.map((message) => {
      const hop = hops[index++] ?? null
      return hop === null ? message : { ...message, headers: withHeaders(message.headers, hop) }
    }),
  }))
}

/** Ends spans with a call's answer, which goes on. */
async function ended<Answer extends readonly RecordMetadata[]>(
  answer: Promise<Answer>,
  end: (result: PublishResult<Error>) => void,
): Promise<Answer> {
  let records: Answer
  try {
    records = await answer
  } catch (error) {
    end({ ok: false, error: error instanceof Error ? error : new Error(String(error)) })
    throw error
  }
  end(guarded('kafkajs answer', () => placeOf(records)) ?? { ok: true })
  return records
}

/** Where the one message of a call went; of several, each partition's answer tells of its first message alone. */
function placeOf(records: readonly RecordMetadata[]): PublishResult<Error> {
  const [record] = records
  if (record === undefined || records.length > 1) return { ok: true }
  const offset = record.baseOffset ?? record.offset
  // With acks=0 the broker says nothing, and kafkajs makes it -1.
  const isKnown = offset !== undefined && !offset.startsWith('-')
  return { ok: true, partition: record.partition, ...(isKnown ? { offset: BigInt(offset) } : {}) }
}

type Handler<Payload> = (payload: Payload, ...rest: unknown[]) => unknown
interface RunOptions {
  readonly eachMessage?: Handler<MessagePayload>
  readonly eachBatch?: Handler<BatchPayload>
}

/** The consumer's options with its handlers traced. */
function traced(options: RunOptions | undefined, processes: Processes): RunOptions | undefined {
  if (options === undefined || options === null) return options
  const { eachMessage, eachBatch } = options
  const attempts = createAttempts()
  return {
    ...options,
    ...(typeof eachMessage !== 'function' ? {} : { eachMessage: tracedMessages(eachMessage) }),
    ...(typeof eachBatch !== 'function' ? {} : { eachBatch: tracedBatches(eachBatch) }),
  }

  function tracedMessages(handler: Handler<MessagePayload>): Handler<MessagePayload> {
    return (payload, ...rest) => {
      const { topic, partition, message } = payload
      const place = `${topic}/${partition}`
      const before = attempts.before(place, message.offset)
      const processing = processes.one({
        delivery: deliveryOf(topic, partition, message, (before?.attempt ?? 0) + 1),
        own: message,
        previous: before?.span,
      })
      if (processing === undefined) return handler(payload, ...rest)
      return runHandler(processing, () => handler(payload, ...rest), {
        threw: 'release',
        returned: 'accept',
        onEnd: (failed) => attempts.note(place, message.offset, failed ? processing.process.span : undefined),
      })
    }
  }

  function tracedBatches(handler: Handler<BatchPayload>): Handler<BatchPayload> {
    return (payload, ...rest) => {
      const { topic, partition, messages } = payload.batch
      const place = `${topic}/${partition}`
      const first = messages[0]?.offset ?? ''
      const before = attempts.before(place, first)
      const attempt = (before?.attempt ?? 0) + 1
      const processing = processes.batch(
        messages.map((message) => ({
          delivery: deliveryOf(topic, partition, message, attempt),
          own: message,
          previous: before?.span,
        })),
      )
      if (processing === undefined) return handler(payload, ...rest)
      return runHandler(processing, () => handler(payload, ...rest), {
        threw: 'release',
        returned: 'accept',
        onEnd: (failed) => attempts.note(place, first, failed ? processing.process.span : undefined),
      })
    }
  }
}

function deliveryOf(topic: string, partition: number, message: ReadMessage, attempt: number): Delivery {
  const { key, value, headers, offset, timestamp } = message
  const contentType = contentTypeOf(message)
  return {
    message: {
      headers: headersOf(headers),
      body: typeof value === 'string' ? Buffer.from(value) : (value ?? null),
      ...(contentType === undefined ? {} : { contentType }),
      ...(key === undefined || key === null ? {} : { key }),
    },
    position: { destination: topic, partition, offset: BigInt(offset), timestampMs: Number(timestamp) },
    attempt,
  }
}

function connectionAttributes(options: unknown): Attributes {
  if (typeof options !== 'object' || options === null) return {}
  const { brokers, clientId } = options as { readonly brokers?: unknown; readonly clientId?: unknown }
  const [first]: unknown[] = Array.isArray(brokers) ? brokers : []
  return {
    ...serverAttributes(typeof first === 'string' ? first : undefined, KAFKA_PORT),
    ...(typeof clientId === 'string' ? { 'messaging.client.id': clientId } : {}),
  }
}
