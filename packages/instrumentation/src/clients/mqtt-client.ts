import type { EventEmitter } from 'node:events'
import type { Attributes } from '@opentelemetry/api'
import { warnOnce } from '../guard.ts'
import type { Tracing } from '../instrumentation.ts'
import { type Attempts, createAttempts } from '../messages/attempts.ts'
import { createProcesses, type Processes } from '../messages/processes.ts'
import { createSends, type Send, type Sends } from '../messages/sends.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { mqtt, mqttPort } from '../systems/mqtt.ts'
import { createTopicFilters, type TopicFilters } from '../systems/topic-filters.ts'

/** A client of MQTT.js 4 and 5, as far as it is read here. */
export interface MqttClient extends EventEmitter {
  readonly options: MqttClientOptions
  readonly connected: boolean
  /** From `end` on. */
  readonly disconnecting: boolean
  /** The connection; undefined before the first. */
  readonly stream?: { readonly destroyed?: boolean }
  readonly topicAliasSend?: { getTopicByAlias(alias: number): string | undefined } | null
  handleMessage: HandleMessage
}

export type HandleMessage = (packet: MqttPacket, callback: (...answer: unknown[]) => unknown) => unknown

interface MqttClientOptions {
  readonly protocol?: string
  readonly protocolVersion?: number
  readonly host?: string
  readonly hostname?: string
  readonly port?: number | string
  readonly clientId?: string
}

export interface MqttProperties {
  readonly userProperties?: Readonly<Record<string, unknown>>
  readonly contentType?: string
  readonly topicAlias?: number
}

/** A PUBLISH that arrived. */
export interface MqttPacket {
  readonly cmd: string
  readonly payload: string | Uint8Array
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
  readonly messageId?: number
  readonly properties?: MqttProperties
}

/** What is kept of a client. */
export interface TracedClient {
  readonly sends: Sends
  readonly processes: Processes
  readonly filters: TopicFilters
  readonly attempts: Attempts
  /** Whether its messages can carry a context: those of MQTT 5 can. */
  readonly carries: boolean
  /** Sends whose messages the broker has yet to confirm. */
  readonly unconfirmed: Set<Send>
}

/** What is kept of the clients that there are. */
export interface TracedClients {
  /** Made when a client first sends or receives; its options are read then, MQTT.js has filled them in. */
  of(client: MqttClient): TracedClient
  /** Undefined for one that has done neither. */
  known(client: MqttClient): TracedClient | undefined
}

export function createTracedClients({ config, scope }: Tracing<ClientInstrumentationConfig>): TracedClients {
  const known = new WeakMap<MqttClient, TracedClient>()

  function create({ options }: MqttClient): TracedClient {
    const carries = options.protocolVersion === 5
    const connection = connectionAttributes(options)
    if (!carries) warnOfOldProtocol(connection)
    const client = { system: mqtt, connection }
    return {
      sends: createSends(client, carries ? config() : { ...config(), propagate: 'none' }, scope),
      processes: createProcesses(client, {}, config(), scope),
      filters: createTopicFilters(),
      attempts: createAttempts(),
      carries,
      unconfirmed: new Set(),
    }
  }

  return {
    of(client) {
      let traced = known.get(client)
      if (traced === undefined) {
        traced = create(client)
        known.set(client, traced)
      }
      return traced
    },
    known: (client) => known.get(client),
  }
}

/** Once a server: clients without an id of their own have another one each time. */
function warnOfOldProtocol(connection: Attributes): void {
  const address = `${connection['server.address'] ?? 'the broker'}:${connection['server.port'] ?? ''}`
  warnOnce(
    `MQTT.js speaks MQTT 3.1.1 with ${address}, which has no user properties: messages carry no trace context out and bring none in, so that every trace ends at the broker and another begins behind it. Connect with protocolVersion: 5`,
  )
}

function connectionAttributes(options: MqttClientOptions): Attributes {
  const { host, hostname = host, port, protocol = 'mqtt', clientId } = options
  return {
    ...(hostname === undefined
      ? {}
      : { 'server.address': hostname, 'server.port': Number(port ?? mqttPort(protocol)) }),
    ...(clientId === undefined ? {} : { 'messaging.client.id': clientId }),
  }
}
