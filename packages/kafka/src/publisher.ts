import {
  errorMessage,
  type Message,
  PermanentError,
  type Publisher,
  type PublishResult,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { isRefusal, isSequenceLost, isUnknownTopic, kafkaError, UNKNOWN_TOPIC_CODE } from './errors.ts'
import { createGather, type Gather } from './gather.ts'
import {
  type Connection,
  isTopicName,
  type KafkaCompression,
  type KafkaPublisherOptions,
  positive,
} from './options.ts'
import { createRotation, partitionerOf, type Rotation } from './partition.ts'
import { createProducerClient } from './producer.ts'
import { encodeRecord, type OutgoingRecord } from './record.ts'
import { createSequence, type Sequence } from './sequence.ts'
import { backoffMs, createTopicTable, pause, UNKNOWN_TOPIC_GRACE_MS } from './topics.ts'

/** One call of `publish`. Of a message the first answer counts. */
interface Call {
  answer(index: number, result: PublishResult): void
  isAnswered(index: number): boolean
}

/** A message on its way, and which one of its call it is. */
interface Pending {
  readonly record: OutgoingRecord
  readonly call: Call
  readonly index: number
}

/** A partition, and what numbers its batches; null where they have no numbers. */
interface Place {
  readonly topic: string
  readonly partition: number
  readonly sequence: Sequence | null
}

interface TopicState {
  readonly lanes: Map<number, Gather<Pending>>
  readonly rotation: Rotation
}

/**
 * Publishes with acks=all. Messages of overlapping calls share requests, one request a partition at a time; results are
 * per message, with partition and offset. Throws PermanentError when an option is wrong.
 */
export function kafkaPublisher(connection: Connection, options: KafkaPublisherOptions): Publisher {
  const { topic: destination, partition: fixedPartition, timeoutMs = 30_000 } = options
  const partitionOf = partitionerOf(options.partitioner ?? 'murmur2')
  const { lingerMs = 0, maxBatchBytes = 524_288, maxBatchMessages = 1000 } = options
  const limits = {
    lingerMs: positive('lingerMs', lingerMs, 0),
    maxBatchBytes: positive('maxBatchBytes', maxBatchBytes),
    maxBatchMessages: positive('maxBatchMessages', maxBatchMessages),
  }
  if (!isTopicName(destination)) throw illegalTopic(destination)
  // Three tries fit in the time a message has, even where each of them hangs.
  const requestTimeoutMs = Math.max(Math.min(positive('timeoutMs', timeoutMs), 1000), timeoutMs / 3)
  const client = createProducerClient(connection, requestTimeoutMs, compressionOf(options))
  const table = createTopicTable(client.partitionsOf, timeoutMs, (error) => {
    lastFailure = error
  })
  const topics = new Map<string, TopicState>()
  let publishing = 0
  let whenPublished: (() => void) | null = null
  let lastFailure: unknown = new Error('no answer')
  let closing: Promise<void> | null = null

  function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    if (closing !== null) {
      const error = new UnavailableError('the Kafka publisher is closed')
      return Promise.resolve(messages.map(() => ({ ok: false, error })))
    }
    if (messages.length === 0) return Promise.resolve([])
    const { promise, resolve } = Promise.withResolvers<readonly PublishResult[]>()
    const results: (PublishResult | undefined)[] = messages.map(() => undefined)
    let open = messages.length
    const timer = setTimeout(giveUp, timeoutMs)

    function answer(index: number, result: PublishResult): void {
      if (results[index] !== undefined) return
      results[index] = result
      if (--open > 0) return
      clearTimeout(timer)
      resolve(results.filter((each) => each !== undefined))
      if (--publishing === 0) whenPublished?.()
    }

    function giveUp(): void {
      const failed = `not confirmed within ${timeoutMs} ms`
      const error = new UnavailableError(kafkaError(lastFailure, connection, failed).message)
      messages.forEach((_, index) => {
        answer(index, { ok: false, error })
      })
    }

    publishing++
    const call: Call = { answer, isAnswered: (index) => results[index] !== undefined }
    messages.forEach((message, index) => {
      enqueue(message.destination ?? destination, { record: encodeRecord(message), call, index })
    })
    return promise
  }

  /** Waits for the number of partitions where it is not known; those that wait for the same topic keep their order. */
  function enqueue(topic: string, pending: Pending): void {
    const partitions = topic === destination || isTopicName(topic) ? table.partitionsOf(topic) : null
    if (partitions === null) fail([pending], illegalTopic(topic))
    else if (typeof partitions === 'number') place(topic, partitions, pending)
    else {
      partitions.then(
        (known) => place(topic, known, pending),
        (error: unknown) => fail([pending], topicError(topic, error)),
      )
    }
  }

  function place(topic: string, partitions: number, pending: Pending): void {
    const state = stateOf(topic)
    const { key } = pending.record
    let partition: number
    try {
      partition =
        fixedPartition ?? (key === undefined ? state.rotation.next(partitions) : partitionOf(key, partitions))
    } catch (error) {
      fail([pending], new PermanentError(`the partitioner failed: ${errorMessage(error)}`, { cause: error }))
      return
    }
    if (partition >= partitions || !Number.isInteger(partition) || partition < 0) {
      const message = `partition ${partition} of topic ${topic} does not exist: it has ${partitions}`
      fail([pending], new PermanentError(message))
      return
    }
    const lane = laneOf(topic, state, partition)
    lane.add(pending)
    if (closing !== null) lane.flush()
  }

  function stateOf(topic: string): TopicState {
    let state = topics.get(topic)
    if (state === undefined) {
      state = { lanes: new Map(), rotation: createRotation(Math.trunc(Math.random() * 1024)) }
      topics.set(topic, state)
    }
    return state
  }

  function laneOf(topic: string, { lanes, rotation }: TopicState, partition: number): Gather<Pending> {
    let lane = lanes.get(partition)
    if (lane === undefined) {
      const sequence = options.idempotent === false ? null : createSequence(client.newId)
      lane = createGather(
        limits,
        ({ record }) => record.sizeBytes,
        (batch) => {
          rotation.sent(partition)
          return send({ topic, partition, sequence }, batch)
        },
      )
      lanes.set(partition, lane)
    }
    return lane
  }

  /** Tries a batch until each of its messages is answered, by the broker or because its time is up. Never rejects. */
  async function send(place: Place, batch: readonly Pending[]): Promise<void> {
    const { topic, partition, sequence } = place
    const began = performance.now()
    /** What an earlier try may have appended without our knowing. */
    let unknown: readonly Pending[] | null = null
    for (let failures = 1; ; failures++) {
      // One that was given up is not sent again behind its sender's back.
      const open = batch.filter(({ call, index }) => !call.isAnswered(index))
      // The number stands for the records it was sent with, and for no others.
      if (unknown !== null && unknown.length !== open.length) sequence?.renew()
      if (open.length === 0) return
      let sent = false
      try {
        const number = sequence === null ? null : await sequence.number()
        const records = open.map(({ record }) => record)
        sent = true
        const base = await client.append(topic, partition, records, number)
        sequence?.confirmed(open.length)
        open.forEach(({ call, index }, position) => {
          call.answer(index, { ok: true, partition, offset: base + BigInt(position) })
        })
        return
      } catch (error) {
        const permanent = permanentFailure(topic, partition, error, performance.now() - began)
        if (permanent !== null) {
          // Refused, this one took no number; one before it may have.
          if (unknown !== null) sequence?.renew()
          if (open.length === 1 || isOfAll(error)) return fail(open, permanent)
          // One message spoils the batch for all: halves are sent until it stands alone.
          const middle = Math.ceil(open.length / 2)
          await send(place, open.slice(0, middle))
          return send(place, open.slice(middle))
        }
        if (isSequenceLost(error)) {
          sequence?.renew()
          unknown = null
        } else if (sent) unknown = open
      }
      await pause(backoffMs(failures))
    }
  }

  /** Null where another try can help. */
  function permanentFailure(
    topic: string,
    partition: number,
    error: unknown,
    triedMs: number,
  ): PermanentError | null {
    if (isUnknownTopic(error)) {
      table.forget(topic)
      if (triedMs < UNKNOWN_TOPIC_GRACE_MS) return null
    }
    lastFailure = error
    const ours = isUnknownTopic(error)
      ? topicError(topic, error)
      : kafkaError(error, connection, `${topic}[${partition}] did not take it`)
    return ours instanceof PermanentError ? ours : null
  }

  function topicError(topic: string, error: unknown): ThroughlineError {
    if (!isUnknownTopic(error)) return kafkaError(error, connection, `topic ${topic} could not be looked up`)
    const message = `Kafka at ${connection.address} has no topic ${topic}: create it or correct the name`
    return new PermanentError(message, { cause: error, code: UNKNOWN_TOPIC_CODE })
  }

  async function shutDown(): Promise<void> {
    for (const { lanes } of topics.values()) for (const lane of lanes.values()) lane.flush()
    if (publishing > 0) {
      await new Promise<void>((resolve) => {
        whenPublished = resolve
      })
    }
    for (const { lanes } of topics.values()) for (const lane of lanes.values()) await lane.idle()
    await table.idle()
    await client.close()
  }

  return {
    destination,
    open: () => client.connect(),
    publish,
    close() {
      closing ??= shutDown()
      return closing
    },
  }
}

/** Of the whole topic or connection: no use in finding out which message of the batch it was. */
function isOfAll(error: unknown): boolean {
  return isUnknownTopic(error) || isRefusal(error)
}

function compressionOf({ compression }: KafkaPublisherOptions): KafkaCompression | undefined {
  if (compression === undefined || ['gzip', 'snappy', 'lz4', 'zstd'].includes(compression)) return compression
  throw new PermanentError('Kafka: compression must be gzip, snappy, lz4 or zstd')
}

function fail(batch: readonly Pending[], error: ThroughlineError): void {
  for (const { call, index } of batch) call.answer(index, { ok: false, error })
}

function illegalTopic(topic: string): PermanentError {
  const shown = JSON.stringify(topic.slice(0, 64))
  return new PermanentError(
    `${shown} is no topic name for Kafka: 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-", and not "." or ".."`,
  )
}
