import { PermanentError } from '@throughline/core'

/** How to reach a broker, and as whom. */
export interface RabbitmqOptions {
  /** `amqp://host:5672/vhost` or `amqps://host:5671/vhost`; a user and password may stand in it. Without a path: the virtual host `/`. */
  readonly url: string
  /** Default: the user in the URL, else `guest`. */
  readonly username?: string
  /** Default: the password in the URL, else `guest`. */
  readonly password?: string
  /** Shown by the broker's tools, followed by `-pub` or `-sub`, and as `messaging.client.id`. Default `throughline`. */
  readonly connectionName?: string
  /** Seconds of silence after which the broker is asked for a sign of life; a connection is given up after twice as long. The broker's own counts where it is shorter, or where this is 0. Default 30. */
  readonly heartbeatSeconds?: number
  /** Until the broker has accepted the connection, what is declared and the consumer, milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** Longest frame, bytes: all headers of a message have to fit into one. Not more than the broker's own `frame_max`. Default 131 072, which is the broker's default. */
  readonly frameMaxBytes?: number
  /** Of `amqps:`: `ca`, `cert`, `key` (PEM), `servername`, `rejectUnauthorized`. Default: the machine's authorities. */
  readonly tls?: TlsOptions
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

/** RabbitmqOptions, read once and with their defaults. */
export interface Endpoint {
  /** `amqp://host:5672/vhost`: for error texts, without user and password. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly vhost: string
  readonly username: string
  readonly password: string
  readonly connectionName: string
  readonly heartbeatSeconds: number
  readonly connectTimeoutMs: number
  readonly frameMaxBytes: number
  /** Undefined: no TLS. */
  readonly tls: TlsOptions | undefined
}

const PORTS: Readonly<Record<string, number>> = { 'amqp:': 5672, 'amqps:': 5671 }
/** What every broker has to accept (AMQP 0-9-1 §2.3.5 frame-min-size; RabbitMQ 4 asks for twice that). */
const MIN_FRAME_BYTES = 8192

/** Reads the options. Throws PermanentError naming the one that is wrong; never with the password in it. */
export function parseOptions(options: RabbitmqOptions): Endpoint {
  const { url, connectionName = 'throughline', tls = {} } = options
  const { heartbeatSeconds = 30, connectTimeoutMs = 10_000, frameMaxBytes = 131_072 } = options
  if (!URL.canParse(url)) fail('url: is no URL; expected amqp://host:5672/vhost')
  const { protocol, hostname, port, pathname, username, password } = new URL(url)
  const defaultPort = PORTS[protocol]
  if (defaultPort === undefined) fail(`url: ${protocol}// is not supported; expected amqp or amqps`)
  if (hostname === '') fail('url: has no host; expected amqp://host:5672/vhost')
  requireInteger('heartbeatSeconds', heartbeatSeconds, 0, 65_535)
  requireInteger('connectTimeoutMs', connectTimeoutMs, 1, 2 ** 31 - 1)
  requireInteger('frameMaxBytes', frameMaxBytes, MIN_FRAME_BYTES, 2 ** 31 - 1)
  const number = port === '' ? defaultPort : Number(port)
  return {
    address: `${protocol}//${hostname}:${number}${pathname === '/' ? '' : pathname}`,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: number,
    vhost: pathname.length > 1 ? decode(pathname.slice(1)) : '/',
    username: options.username ?? (username === '' ? 'guest' : decode(username)),
    password: options.password ?? (password === '' ? 'guest' : decode(password)),
    connectionName,
    heartbeatSeconds,
    connectTimeoutMs,
    frameMaxBytes,
    tls: protocol === 'amqps:' ? tls : undefined,
  }
}

/** Throws PermanentError unless `value` is an integer of that range. */
export function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    fail(`${name}: must be an integer from ${min} to ${max}, is ${String(value)}`)
  }
}

/** Throws PermanentError for a name that AMQP cannot carry: a short string has at most 255 bytes. */
export function requireName(option: string, name: string): void {
  if (Buffer.byteLength(name) > 255) fail(`${option}: has more than the 255 bytes that AMQP allows`)
}

export function fail(message: string): never {
  throw new PermanentError(`RabbitMQ options: ${message}`, { code: 'TL_OPTIONS_INVALID' })
}

/** Parts of a URL; a stray `%` stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
