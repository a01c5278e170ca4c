import { Socket } from 'node:net'
import {
  errorMessage,
  markTraced,
  PermanentError,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import type { Endpoint } from './options.ts'
import { connectError, disconnectError, HUNG_UP_CODE } from './reason.ts'
import type { Will } from './will.ts'

/** One connection to the broker. It is never mended: whoever needs another starts another. */
export interface Connection {
  /** Has not received anything before the current turn of the event loop ends. */
  readonly client: MqttClient
  /**
   * Resolves when the broker has accepted it. Rejects with UnavailableError when it cannot be reached or cannot serve
   * now, PermanentError when it refuses this client (credentials, client id).
   */
  readonly opened: Promise<void>
  /** Throws why it is over; does nothing while it is up. What was awaited may have resolved just before the end. */
  requireUp(): void
  /** Ends it at once, with an error found by the caller. Does nothing when it is over. */
  fail(error: ThroughlineError): void
  /** Sends DISCONNECT behind all that was written. `endSession`: the broker forgets the session (MQTT 5). Idempotent. */
  close(endSession?: boolean): Promise<void>
}

export interface ConnectionOptions {
  readonly clientId: string
  /** Begin with an empty session; in MQTT 3.1.1 it also ends with the connection. */
  readonly clean: boolean
  /** MQTT 5 alone. */
  readonly sessionExpirySeconds: number
  readonly receiveMaximum?: number
  /** How many topics the broker may call by a number; MQTT 5. */
  readonly topicAliasMaximum?: number
  readonly will?: Will
  /** Called once, when it is over for whatever reason, or could not be opened. */
  readonly onEnd: (error: ThroughlineError) => void
}

const CLOSE_TIMEOUT_MS = 2000

/** Begins to connect. Throws PermanentError for options that Node cannot connect with (a certificate that is none). */
export function startConnection(endpoint: Endpoint, options: ConnectionOptions): Connection {
  const { address } = endpoint
  const { clientId, onEnd } = options
  const client = begin(endpoint, options)
  const opened = Promise.withResolvers<void>()
  let isUp = false
  let over: ThroughlineError | null = null

  function end(error: ThroughlineError): void {
    if (over !== null) return
    over = error
    opened.reject(error)
    // First, so that what is in flight hears the reason and not MQTT.js's "Connection closed".
    onEnd(error)
    client.end(true)
  }

  async function close(endSession = false): Promise<void> {
    if (over !== null) return
    over = new PermanentError(`the connection to ${address} is closed`)
    const gone = new Promise<void>((resolve) => client.once('close', resolve))
    // A broker that has stopped reading would hold the process.
    const impatient = setTimeout(() => client.stream.destroy(), CLOSE_TIMEOUT_MS)
    client.end(false, endSession ? { properties: { sessionExpiryInterval: 0 } } : {})
    await gone
    clearTimeout(impatient)
    onEnd(over)
  }

  client.on('connect', () => {
    isUp = true
    // Acknowledgements are small and must not wait for each other's.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
    opened.resolve()
  })
  client.on('disconnect', ({ reasonCode = 0 }) => end(disconnectError(address, clientId, reasonCode)))
  client.on('error', (error) => {
    if (!isUp) return end(connectError(address, clientId, error))
    end(new UnavailableError(`the connection to ${address} was lost: ${error.message}`, { cause: error }))
  })
  client.on('close', () =>
    end(
      isUp
        ? new UnavailableError(`${address} closed the connection`, { code: HUNG_UP_CODE })
        : connectError(address, clientId, new Error('it closed the connection before answering')),
    ),
  )
  // Whoever only waits for onEnd has heard of it.
  opened.promise.catch(() => undefined)
  function requireUp(): void {
    if (over !== null) throw over
  }
  return { client, opened: opened.promise, requireUp, fail: end, close }
}

function begin(endpoint: Endpoint, options: ConnectionOptions): MqttClient {
  try {
    return markTraced(connect(clientOptions(endpoint, options)))
  } catch (cause) {
    throw new PermanentError(`cannot connect to ${endpoint.address}: ${errorMessage(cause)}`, { cause })
  }
}

/** What MQTT.js is given. */
export function clientOptions(
  endpoint: Endpoint,
  { clientId, clean, sessionExpirySeconds, receiveMaximum, topicAliasMaximum, will }: ConnectionOptions,
): IClientOptions {
  const { protocol, protocolVersion, host, port, path, username, password, tls } = endpoint
  const isWebSocket = protocol === 'ws' || protocol === 'wss'
  return {
    ...tls,
    // MQTT.js passes on a part of them alone, and writes the host into a URL.
    ...(isWebSocket ? { wsOptions: { ...tls } } : {}),
    protocol,
    host: isWebSocket && host.includes(':') ? `[${host}]` : host,
    port,
    path,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    clientId,
    protocolVersion,
    clean,
    keepalive: endpoint.keepaliveSeconds,
    connectTimeout: endpoint.connectTimeoutMs,
    // Whoever uses the connection decides when to open another; MQTT.js would hold messages back meanwhile.
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    autoAssignTopicAlias: endpoint.topicAliases,
    ...(will === undefined ? {} : { will }),
    ...(protocolVersion === 4
      ? {}
      : {
          properties: {
            sessionExpiryInterval: sessionExpirySeconds,
            ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
            ...(topicAliasMaximum === undefined ? {} : { topicAliasMaximum }),
          },
        }),
  }
}
