import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { errorMessage, PermanentError } from '@throughline/core'
import { http } from '@throughline/http'
import { kafka, type SaslCredentials } from '@throughline/kafka'
import { mqtt } from '@throughline/mqtt'
import { rabbitmq, type Topology } from '@throughline/rabbitmq'
import type { ConnectionConfig, DeadLetterConfig, SourceConfig, TargetConfig } from './config/config.ts'
import { addressText } from './config/field.ts'
import { CONCURRENCY, type Connection, connectionOf } from './connection.ts'
import type { Template } from './template.ts'

export interface ConnectOptions {
  /** Appended to client ids, to tell apart processes that share a configuration. */
  readonly instance?: string
  /** The same for what publishes, where processes share a configuration by its routes. */
  readonly senderInstance?: string
}

/** The connection that a configuration describes. Nothing is connected yet. Throws PermanentError for options that its client refuses. */
export function connect(name: string, config: ConnectionConfig, options: ConnectOptions): Connection {
  if (config.type === 'http') return connectHttp(name, config)
  if (config.type === 'kafka') return connectKafka(name, config)
  return config.type === 'mqtt' ? connectMqtt(name, config, options) : connectRabbitmq(name, config)
}

function connectHttp(name: string, { listen }: ConnectionConfig & { type: 'http' }): Connection {
  const place = listen === undefined ? 'http' : `http ${addressText(listen)}`
  const broker = http(listen === undefined ? {} : { listen: addressText(listen) })
  return connectionOf(name, broker, {
    system: 'http',
    place,
    address: broker.address,
    target(to, timeoutMs) {
      if (to.transport !== 'http') throw wrong(name, to)
      // The route tries again by itself, with a span for each try and its source paused; two rounds would multiply.
      return { url: exampleOf(to.url), headers: to.headers, retry: false, ...limit(timeoutMs) }
    },
    source(from) {
      if (from.transport !== 'http') throw wrong(name, from)
      const { path, methods, maxBodyBytes, timeout, accessToken, webhook } = from
      return {
        path,
        methods,
        maxBodyBytes,
        answerTimeoutMs: timeout,
        window: CONCURRENCY,
        ...(accessToken === undefined ? {} : { accessToken }),
        ...(webhook === undefined ? {} : { webhook }),
      }
    },
  })
}

function connectKafka(name: string, config: KafkaConfig): Connection {
  const { brokers, clientId, tls, certificates, sasl } = config
  const broker = kafka({
    brokers,
    clientId,
    ...(tls || certificates !== undefined ? { tls: pemsOf(name, certificates) } : {}),
    ...(sasl === undefined ? {} : { sasl: credentialsOf(sasl) }),
  })
  return connectionOf(name, broker, {
    system: 'kafka',
    place: `kafka ${brokers.join(',')}`,
    target(to, timeoutMs) {
      if (to.transport !== 'kafka') throw wrong(name, to)
      const partition = 'partition' in to && to.partition !== undefined ? { partition: to.partition } : {}
      return { topic: exampleOf(to.topic), ...partition, ...limit(timeoutMs) }
    },
    source(from) {
      if (from.transport !== 'kafka') throw wrong(name, from)
      const { topics, group, start, sessionTimeout } = from
      // The group must not lose this process while it gives a partition away.
      const revokeGraceMs = Math.min(3000, Math.floor(sessionTimeout / 3))
      return { topics, group, start, sessionTimeoutMs: sessionTimeout, revokeGraceMs }
    },
  })
}

type KafkaConfig = ConnectionConfig & { type: 'kafka' }

function credentialsOf(sasl: NonNullable<KafkaConfig['sasl']>): SaslCredentials {
  if (sasl.mechanism !== 'OAUTHBEARER') return sasl
  const { mechanism, tokenFile } = sasl
  return { mechanism, token: async () => (await readFile(tokenFile, 'utf8')).trim() }
}

function pemsOf(
  name: string,
  files: KafkaConfig['certificates'] = {},
): { ca?: string; cert?: string; key?: string } {
  const read = Object.entries(files).map(([what, file]) => {
    try {
      return [what, readFileSync(file, 'utf8')]
    } catch (error) {
      const message = `connections.${name}.certificates.${what}: ${file} cannot be read: ${errorMessage(error)}`
      throw new PermanentError(message, { cause: error })
    }
  })
  return Object.fromEntries(read)
}

function connectMqtt(
  name: string,
  config: ConnectionConfig & { type: 'mqtt' },
  { instance, senderInstance = instance }: ConnectOptions,
): Connection {
  const { type: _, ...settings } = config
  // What they cannot do is said of the configuration (config/warning.ts).
  const options = { ...settings, onWarning: () => undefined }
  const own = instance === undefined ? {} : { instance }
  const sender = senderInstance === undefined ? {} : { instance: senderInstance }
  return connectionOf(name, mqtt({ ...options, ...own }), {
    system: 'mqtt',
    place: `mqtt ${new URL(config.url).host}`,
    sender: mqtt({ ...options, ...sender }),
    target(to, timeoutMs) {
      if (to.transport !== 'mqtt') throw wrong(name, to)
      const retain = 'retain' in to ? { retain: to.retain } : {}
      return { topic: exampleOf(to.topic), qos: to.qos, ...retain, ...limit(timeoutMs) }
    },
    source(from, route) {
      if (from.transport !== 'mqtt') throw wrong(name, from)
      const share = from.share === undefined ? {} : { share: from.share }
      return { topics: from.topics, qos: from.qos, session: route, ...share }
    },
  })
}

function connectRabbitmq(name: string, config: ConnectionConfig & { type: 'rabbitmq' }): Connection {
  const { type: _, ...options } = config
  const { host, pathname } = new URL(config.url)
  return connectionOf(name, rabbitmq(options), {
    system: 'rabbitmq',
    place: `rabbitmq ${host}${pathname === '/' ? '' : pathname}`,
    target(to, timeoutMs) {
      if (to.transport !== 'rabbitmq') throw wrong(name, to)
      const { exchange } = to
      const routingKey = to.routingKey === undefined ? '' : exampleOf(to.routingKey)
      const { persistent = true, mandatory = true } = 'mode' in to ? to : {}
      const declare = targetTopology(exchange, routingKey, to.declare)
      return { exchange, routingKey, persistent, mandatory, declare, ...limit(timeoutMs) }
    },
    source(from, _route, rejected) {
      if (from.transport !== 'rabbitmq') throw wrong(name, from)
      const { queue, prefetch } = from
      return { queue, window: prefetch, rejected, declare: sourceTopology(from) }
    },
  })
}

function targetTopology(
  exchange: string,
  routingKey: string,
  declare: (TargetConfig & { transport: 'rabbitmq' })['declare'],
): Topology {
  if (declare === undefined) return {}
  return declare === 'classic' || declare === 'quorum'
    ? { queues: [{ name: routingKey, type: declare }] }
    : { exchanges: [{ name: exchange, type: declare }] }
}

function sourceTopology({ queue, declare, bindings }: SourceConfig & { transport: 'rabbitmq' }): Topology {
  return {
    exchanges: bindings.flatMap(({ exchange, declare: type }) =>
      type === undefined ? [] : [{ name: exchange, type }],
    ),
    queues: declare === undefined ? [] : [{ name: queue, type: declare }],
    bindings: bindings.map(({ exchange, routingKey }) => ({ exchange, routingKey, queue })),
  }
}

function limit(timeoutMs: number | undefined) {
  return timeoutMs === undefined ? {} : { timeoutMs }
}

/** A publisher's own destination. Where it differs by event every message names its own, and this one only has to be legal. */
function exampleOf(template: Template | string): string {
  if (typeof template === 'string') return template
  return template.parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
}

/** The configuration's reader gives each end the transport of its connection. */
function wrong(name: string, { transport }: SourceConfig | TargetConfig | DeadLetterConfig): TypeError {
  return new TypeError(`connection ${name} is not of type ${transport}`)
}
