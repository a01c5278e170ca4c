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

/** Somewhere that messages are sent to and read from, as a URL names it. Not connected to. */
export interface Destination {
  /** For people, without credentials: `kafka://localhost:9092/orders`. */
  readonly text: string
  /** Which options of `send` have a meaning there. */
  readonly takes: ReadonlySet<'key' | 'partition' | 'qos' | 'retain'>
  /** Throws CommandError for what cannot be sent to. */
  outlet(options: OutletOptions): Outlet
}

type Open = (url: DestinationUrl, credentials: Credentials) => Destination

/** A transport is loaded when it is asked for: together they take longer to load than most sends take. */
const kafka = async () => (await import('./kafka.ts')).kafkaDestination
const mqtt = async () => (await import('./mqtt.ts')).mqttDestination
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
