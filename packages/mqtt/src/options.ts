import { randomBytes } from 'node:crypto'
import { type EventInput, PermanentError } from '@throughline/core'
import { validateTopic } from './topic.ts'

/** How to reach a broker, and as whom. */
export interface MqttOptions {
  /** `mqtt://host:1883`, `mqtts://host:8883`, `ws://host/path` or `wss://host/path`; a user and password may stand in it. */
  readonly url: string
  /** 5, or 4 for MQTT 3.1.1 (whose protocol level that is), which carries no headers without `envelope`. Default 5. */
  readonly protocolVersion?: 4 | 5
  /**
   * Publishes headers and content together in the payload, as JSON, and unwraps what arrives so: for MQTT 3.1.1, and
   * for MQTT 5 where the other side speaks 3.1.1. Events are structured then. Default false.
   */
  readonly envelope?: boolean
  /**
   * Publishers connect as `<clientId>-pub`, subscribers as `<clientId>-sub`. Give one that is the same after a restart,
   * or the broker cannot keep messages for this process while it is away. Default: `throughline-` and random digits.
   */
  readonly clientId?: string
  /** Appended to both client ids, to tell apart processes that share a configuration: a worker's number, a StatefulSet's ordinal. */
  readonly instance?: string
  /** Default: the user in the URL. */
  readonly username?: string
  /** Default: the password in the URL. */
  readonly password?: string
  /** Seconds between signs of life; the broker drops a client that is silent for one and a half times as long. 0: none. Default 30. */
  readonly keepaliveSeconds?: number
  /** Until the broker has accepted the connection and the subscriptions, milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** Of `mqtts:` and `wss:`: `ca`, `cert`, `key` (PEM), `servername`, `rejectUnauthorized`. Default: the machine's authorities. */
  readonly tls?: TlsOptions
  /** Publishers send a topic once and then by a number, for as many topics as the broker allows; MQTT 5. Default false. */
  readonly topicAliases?: boolean
  /** What the broker publishes when the publishers' connection ends without a good-bye. Default nothing. */
  readonly will?: MqttWill
  /** Told in words, once, what these options cannot do that one may expect. Default: a warning of the process. */
  readonly onWarning?: (warning: string) => void
}

/**
 * A message that the broker keeps and publishes for a client that is gone. It carries the trace context that is active
 * when the connection is made: at the first publish, or `open()`.
 */
export interface MqttWill {
  readonly topic: string
  /** The event, made anew for each connection: with an `id` of its own where none is given. */
  readonly event?: EventInput
  /** In place of `event`: a message that is none. */
  readonly body?: string | Uint8Array
  /** Of `body`. */
  readonly contentType?: string
  /** Default 1. */
  readonly qos?: 0 | 1 | 2
  /** The broker keeps it for later subscribers. Default false. */
  readonly retain?: boolean
  /** How long the broker waits with it, seconds; a connection that is back by then keeps it from being published. MQTT 5. Default 0. */
  readonly delaySeconds?: number
}

/** PEM texts, as Node's `tls.connect` takes them. */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  /** Default true. */
  readonly rejectUnauthorized?: boolean
}

/** MqttOptions, read once and with their defaults. */
export interface Endpoint {
  /** `mqtt://host:1883`: for error texts, without user and password. */
  readonly address: string
  readonly protocol: Protocol
  readonly protocolVersion: 4 | 5
  readonly envelope: boolean
  readonly topicAliases: boolean
  readonly will?: MqttWill
  readonly host: string
  readonly port: number
  /** Of WebSocket URLs. */
  readonly path: string
  readonly username?: string
  readonly password?: string
  readonly keepaliveSeconds: number
  readonly connectTimeoutMs: number
  readonly tls: TlsOptions
  /** What client ids begin with. */
  readonly clientId: string
  readonly instance?: string
  /** Whether the user gave the client id, so that it is the same after a restart. */
  readonly isFixed: boolean
}

export type Protocol = keyof typeof PORTS

const PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 } as const

/** Reads the options. Throws PermanentError naming the one that is wrong; never with the password in it. */
export function parseOptions(options: MqttOptions): Endpoint {
  const { url, protocolVersion = 5, envelope = false, clientId, instance, tls = {} } = options
  const { keepaliveSeconds = 30, connectTimeoutMs = 10_000, topicAliases = false, will } = options
  if (protocolVersion !== 4 && protocolVersion !== 5)
    fail(`protocolVersion: must be 4 (MQTT 3.1.1) or 5, is ${String(protocolVersion)}`)
  if (!URL.canParse(url)) fail('url: is no URL; expected mqtt://host:1883')
  const { protocol: scheme, hostname, port, pathname, search, username, password } = new URL(url)
  const protocol = scheme.slice(0, -1)
  if (!isProtocol(protocol)) fail(`url: ${scheme}// is not supported; expected mqtt, mqtts, ws or wss`)
  if (hostname === '') fail('url: has no host; expected mqtt://host:1883')
  requireInteger('keepaliveSeconds', keepaliveSeconds, 0, 65_535)
  requireInteger('connectTimeoutMs', connectTimeoutMs, 1, 2 ** 31 - 1)
  const number = port === '' ? PORTS[protocol] : Number(port)
  const user = options.username ?? (username === '' ? undefined : decode(username))
  const secret = options.password ?? (password === '' ? undefined : decode(password))
  requireMqtt5({ protocolVersion }, 'topicAliases', topicAliases || undefined)
  if (will !== undefined) validateWill(will, { protocolVersion })
  return {
    address: `${protocol}://${hostname}:${number}`,
    protocol,
    protocolVersion,
    envelope,
    topicAliases,
    ...(will === undefined ? {} : { will }),
    host: hostname.replace(/^\[|\]$/g, ''),
    port: number,
    path: `${pathname === '' ? '/' : pathname}${search}`,
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    keepaliveSeconds,
    connectTimeoutMs,
    tls,
    clientId: clientId ?? `throughline-${randomBytes(4).toString('hex')}`,
    ...(instance === undefined ? {} : { instance }),
    isFixed: clientId !== undefined,
  }
}

/** The id a connection has: two connections with one id evict each other for ever, so the role is always in it. */
export function clientIdOf({ clientId, instance }: Endpoint, role: 'pub' | 'sub', session?: string): string {
  return [clientId, role, session, instance].filter((part) => part !== undefined).join('-')
}

/** Throws PermanentError unless `value` is an integer of that range. */
export function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    fail(`${name}: must be an integer from ${min} to ${max}, is ${String(value)}`)
  }
}

/** Throws PermanentError for an option that MQTT 3.1.1 has no way to honour. */
export function requireMqtt5(
  { protocolVersion }: Pick<Endpoint, 'protocolVersion'>,
  name: string,
  value: unknown,
): void {
  if (protocolVersion === 4 && value !== undefined)
    fail(`${name}: needs protocolVersion 5, is 4 (MQTT 3.1.1)`)
}

function validateWill(will: MqttWill, version: Pick<Endpoint, 'protocolVersion'>): void {
  const { topic, event, body, delaySeconds } = will
  validateTopic(topic)
  if ((event === undefined) === (body === undefined)) fail('will: needs either event or body')
  if (delaySeconds === undefined) return
  requireMqtt5(version, 'will.delaySeconds', delaySeconds)
  requireInteger('will.delaySeconds', delaySeconds, 0, 2 ** 32 - 1)
}

function isProtocol(text: string): text is Protocol {
  return Object.hasOwn(PORTS, text)
}

/** User and password of a URL; a stray `%` stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function fail(message: string): never {
  throw new PermanentError(`MQTT options: ${message}`, { code: 'TL_OPTIONS_INVALID' })
}
