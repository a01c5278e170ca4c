import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { SASLOptions } from '@platformatic/kafka'
import { PermanentError } from '@throughline/core'
import { driverCredentials, loginOf, type SaslCredentials } from './sasl.ts'

/** How to reach the brokers; the same for publishers and subscribers. */
export interface KafkaOptions {
  /** `host:port` of some brokers, as an array or a comma list; the others are learned from them. Port 9092 by default. */
  readonly brokers: string | readonly string[]
  /** Shown in the broker's logs and quotas, and as `messaging.client.id`. Default `throughline`. */
  readonly clientId?: string
  /** Node's TLS options, `ca`, `cert` and `key` or `pfx` and others; `{}` for TLS with the machine's certificates. Default: no TLS. */
  readonly tls?: TlsOptions
  /** Who logs in, by PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Default: nobody. */
  readonly sasl?: SaslCredentials
  /** How long one TCP connection may take, milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number
}

/** Which partition a key goes to: as with Kafka's own clients, as with librdkafka's default, or by a function of the key's bytes and the number of partitions. */
export type KafkaPartitioner = 'murmur2' | 'crc32' | ((key: Uint8Array, partitions: number) => number)

/** How batches are compressed. */
export type KafkaCompression = 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Which topic, and how messages share requests. */
export interface KafkaPublisherOptions {
  /** Where messages without a destination of their own go. */
  readonly topic: string
  /** Sends everything to this partition. Default: by key, as `partitioner` says; without a key, batches in turn. */
  readonly partition?: number
  /**
   * Which partition a key goes to: `murmur2` as Kafka's own clients, `crc32` as librdkafka's default, or a function of the
   * key's bytes and the number of partitions. All who publish to a topic have to agree, or a key has no order. Default `murmur2`.
   */
  readonly partitioner?: KafkaPartitioner
  /**
   * Each batch is appended once, however often a lost answer makes it be sent. False for an account or broker that may not
   * or cannot do that: then such a batch may stand there twice. Default true.
   */
  readonly idempotent?: boolean
  /** Compresses batches: `gzip`, `snappy`, `lz4` or `zstd`. More with `lingerMs`, which makes them larger. Default: none. */
  readonly compression?: KafkaCompression
  /** How long a message may wait for others to share a request, milliseconds. Default 0: those of the same turn of the event loop, and all that come while a request of their partition is under way. */
  readonly lingerMs?: number
  /** Bytes of one partition's batch, before compression. Default 524,288; the broker's own limit (`max.message.bytes`) is 1,048,588 by default. */
  readonly maxBatchBytes?: number
  /** Messages of one partition's batch. Default 1,000. */
  readonly maxBatchMessages?: number
  /** How long a message is tried until it is answered with UnavailableError, milliseconds. Default 30,000. */
  readonly timeoutMs?: number
}

/** Where reading begins: the oldest record, after the newest, or the first at or after a moment. */
export type KafkaStart = 'earliest' | 'latest' | Date

/** A place to which a group goes back, or forward, once. */
export interface KafkaSeek {
  /** Of this seek: the group keeps it beside its offsets, and does not make the same one again. */
  readonly name: string
  /** Start, end or a time in all partitions; or the next offset by topic and partition, the others staying where they are. */
  readonly to: KafkaStart | Readonly<Record<string, Readonly<Record<number, bigint>>>>
}

/** Which topics, in which group, and how far ahead is read. */
export interface KafkaSubscriberOptions {
  /** Topics to read, by their names; all have to exist. */
  readonly topics: readonly string[]
  /**
   * The consumer group: its members share the partitions, its committed offsets are where reading goes on. Without one all
   * partitions are read from `start`, nothing is committed and no group notices: where it is, only this subscriber knows.
   */
  readonly group?: string
  /**
   * How the group shares the partitions: `classic`, by its members, or `consumer`, by the broker (KIP-848, Kafka 4.0 or
   * newer). Members of one group may differ while it is moved from one to the other. Default `classic`.
   */
  readonly groupProtocol?: 'classic' | 'consumer'
  /**
   * Name of this member, its own in the group (`group.instance.id`): its partitions are kept for it over a restart
   * that takes less than the session timeout, and go to others only after that. Default: none.
   */
  readonly instanceId?: string
  /** Where a group without a committed offset begins; a Date is the first record of that time or later. Default `earliest`. */
  readonly start?: KafkaStart
  /**
   * Moves the group: each partition goes on there instead of at its committed offset. Made once for a group and
   * `seekTo.name`, whichever member gets the partition, and not again after a restart: give it to all members, and leave
   * it there. What the group had behind it is delivered as a replay, in a trace of its own. Default: none.
   */
  readonly seekTo?: KafkaSeek
  /** Deliveries handed out and not settled, at most, over all partitions. Default 1,000. */
  readonly window?: number
  /** How long the group waits for a member that fell silent, or was killed, before its partitions go to others, milliseconds. Default 10,000; by the `consumer` protocol the broker alone says (`group.consumer.session.timeout.ms`). */
  readonly sessionTimeoutMs?: number
  /** How long a revoked partition's deliveries may still be settled before it is given away, milliseconds; by the classic protocol under half of `sessionTimeoutMs`. Default 3,000. */
  readonly revokeGraceMs?: number
  /** Settled offsets are committed at most this late, milliseconds. Default 200. */
  readonly commitIntervalMs?: number
  /** How long the connection may fail until `deliveries()` throws, milliseconds. Default 5,000. */
  readonly lostAfterMs?: number
  /** Bytes one broker may answer in one fetch; bounds the memory of what is read ahead. Default 8,388,608. */
  readonly maxFetchBytes?: number
}

/** Options as the driver's classes take them, checked. */
export interface Connection {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** For error texts: the addresses, comma separated. */
  readonly address: string
  readonly tls: TlsOptions | undefined
  readonly sasl: SASLOptions | undefined
  /** For error texts: mechanism and user, where there is a login. */
  readonly login: string | undefined
}

// A host name, IPv4 or bracketed IPv6 address, with an optional port. A URL (which may hold a password) is none.
const BROKER = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/

/** Throws PermanentError when an option is wrong. */
export function connectionOf(options: KafkaOptions): Connection {
  const { brokers, clientId = 'throughline', connectTimeoutMs = 5000 } = options
  const list = (typeof brokers === 'string' ? brokers.split(',') : brokers)
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
  if (list.length === 0) throw new PermanentError('Kafka: brokers is empty; expected host:port,host:port')
  list.forEach((broker, index) => {
    const port = BROKER.exec(broker)?.[2]
    if (!BROKER.test(broker) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65535) {
      // The text itself may be a URL with a password.
      throw new PermanentError(`Kafka: brokers[${index}] is not host:port`)
    }
  })
  return {
    brokers: list,
    clientId,
    connectTimeoutMs: positive('connectTimeoutMs', connectTimeoutMs),
    address: list.join(','),
    tls: options.tls,
    sasl: options.sasl && driverCredentials(options.sasl),
    login: options.sasl && loginOf(options.sasl),
  }
}

/** The first broker's host and port, for `server.address` and `server.port`. */
export function serverOf({ brokers: [first = ''] }: Connection): { host: string; port: number } {
  const [, host = '', port = '9092'] = BROKER.exec(first) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Options that every client class of the driver shares. Its own retries are off where not said otherwise: see RATIONALE.md. */
export function clientOptions(connection: Connection) {
  const { brokers, clientId, connectTimeoutMs, tls, sasl } = connection
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: connectTimeoutMs,
    retries: 0,
    ...(tls === undefined ? {} : { tls, tlsServerName: tls.servername ?? hasNames(brokers) }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

/** Whether to say in the TLS handshake which host is meant. An address is not to be said (RFC 6066 §3), and Node warns of it. */
function hasNames(brokers: readonly string[]): boolean {
  return brokers.some((broker) => isIP((BROKER.exec(broker)?.[1] ?? '').replace(/^\[|\]$/g, '')) === 0)
}

/** The number, or PermanentError naming the option: a zero or NaN would hang or spin somewhere far from its cause. */
export function positive(name: string, value: number, min = 1): number {
  if (!Number.isFinite(value) || value < min) {
    throw new PermanentError(`Kafka: ${name} must be a number of at least ${min}, is ${value}`)
  }
  return value
}

// Kafka's own rule (org.apache.kafka.common.internals.Topic).
const TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/

export function isTopicName(name: string): boolean {
  return TOPIC.test(name)
}
