import type { Subscriber, Transport } from '@throughline/core'
import { type Credentials, credentialsOf } from './credentials.ts'
import type { Outlet } from './outlet.ts'
import { usage } from './problem.ts'
import { type DestinationUrl, parseDestinationUrl } from './url.ts'

/** How messages are sent; all but the time limit is of some transports alone. */
export interface OutletOptions {
  /** How long a confirmation is waited for, milliseconds. */
  readonly timeoutMs: number
  /** Kafka. */
  readonly partition?: number
  /** MQTT. */
  readonly qos?: 0 | 1 | 2
  /** MQTT. */
  readonly retain?: boolean
}

export interface SourceOptions {
  /** Where reading begins, on what keeps messages. Default `latest`. */
  readonly from?: 'earliest' | 'latest' | Date
}

/** Where messages are read without anybody missing them. Not connected to. */
export interface Source extends Pick<Transport<never, never>, 'binding' | 'attributes'> {
  readonly subscriber: Subscriber
  /** For people: `reading kafka://localhost:9092/orders from its end`. */
  readonly doing: string
}

/** Somewhere that messages are sent to and read from, as a URL names it. Not connected to. */
export interface Destination {
  /** For people, without credentials: `kafka://localhost:9092/orders`. */
  readonly text: string
  /** Which options have a meaning there, of those that not every transport has. */
  readonly takes: ReadonlySet<'key' | 'partition' | 'qos' | 'retain' | 'from'>
  /** Throws CommandError for what cannot be sent to. */
  outlet(options: OutletOptions): Outlet
  /** Throws CommandError for what cannot be read without taking it from somebody. */
  source(options: SourceOptions): Source
}

type Open = (url: DestinationUrl, credentials: Credentials) => Destination

/** A transport is loaded when it is asked for: together they take longer to load than most sends take. */
const kafka = async () => (await import('./kafka.ts')).kafkaDestination
const mqtt = async () => (await import('./mqtt.ts')).mqttDestination
const rabbitmq = async () => (await import('./rabbitmq.ts')).rabbitmqDestination
const http = async () => (await import('./http.ts')).httpDestination

const schemes: Readonly<Record<string, () => Promise<Open>>> = {
  kafka,
  kafkas: kafka,
  mqtt,
  mqtts: mqtt,
  ws: mqtt,
  wss: mqtt,
  http,
  https: http,
  amqp: rabbitmq,
  amqps: rabbitmq,
}

/** The destination that a URL names. Throws CommandError; never with a password in it. */
export async function destinationOf(
  text: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Destination> {
  const url = parseDestinationUrl(text)
  const load = Object.hasOwn(schemes, url.scheme) ? schemes[url.scheme] : undefined
  if (load === undefined) {
    const known = Object.keys(schemes).join(', ')
    throw usage(`"${url.scheme}" is no scheme of a destination: expected ${known}`)
  }
  const open = await load()
  return open(url, credentialsOf(url, env))
}
