import type { Channel } from 'rabbitmq-client'
import { fail, requireName } from './options.ts'

/** What has to be there. It is declared on every connection; what is there already and differs is refused by the broker. */
export interface Topology {
  readonly exchanges?: readonly ExchangeDeclaration[]
  readonly queues?: readonly QueueDeclaration[]
  readonly bindings?: readonly BindingDeclaration[]
}

/** An exchange that is to be there. */
export interface ExchangeDeclaration {
  /** At most 255 bytes. */
  readonly name: string
  /** `direct`, `fanout`, `topic`, `headers`, or a plug-in's. Default `topic`. */
  readonly type?: string
  /** Survives a restart of the broker. Default true. */
  readonly durable?: boolean
  /** Goes when the last binding goes. Default false. */
  readonly autoDelete?: boolean
  /** `alternate-exchange` and others of the broker's. */
  readonly arguments?: Arguments
}

/** A queue that is to be there. */
export interface QueueDeclaration {
  /** At most 255 bytes. */
  readonly name: string
  /** `x-queue-type`. Default `classic`. */
  readonly type?: 'classic' | 'quorum' | 'stream'
  /** Survives a restart of the broker, with its persistent messages. Default true. */
  readonly durable?: boolean
  /** Of this connection alone, and gone with it. Default false. */
  readonly exclusive?: boolean
  /** Goes when the last consumer goes. Default false. */
  readonly autoDelete?: boolean
  /** `x-dead-letter-exchange`, `x-message-ttl`, `x-max-length` and others of the broker's. */
  readonly arguments?: Arguments
}

/** Messages of an exchange go to a queue, or to another exchange. */
export interface BindingDeclaration {
  /** Where messages come from. */
  readonly exchange: string
  /** The queue they go to; this or `toExchange`. */
  readonly queue?: string
  /** The exchange they go to. */
  readonly toExchange?: string
  /** Of a topic exchange a pattern: `*` is one word, `#` any number of words. Default empty. */
  readonly routingKey?: string
  /** What a `headers` exchange matches, and others of the broker's. */
  readonly arguments?: Arguments
}

/** Arguments of a declaration, by the names that RabbitMQ knows. */
export type Arguments = Readonly<Record<string, string | number | boolean>>

/** Throws PermanentError for a declaration that cannot work. */
export function validateTopology({ exchanges = [], queues = [], bindings = [] }: Topology): void {
  for (const { name } of exchanges) requireNamed('declare.exchanges', name)
  for (const { name } of queues) requireNamed('declare.queues', name)
  for (const { exchange, queue, toExchange, routingKey = '' } of bindings) {
    requireNamed('declare.bindings', exchange)
    requireName('declare.bindings', routingKey)
    if ((queue === undefined) === (toExchange === undefined)) {
      fail(`declare.bindings: of ${exchange} needs either a queue or a toExchange`)
    }
  }
}

/** Declares all of it: exchanges, queues, bindings. Rejects with the driver's error. */
export async function declareTopology(channel: Channel, topology: Topology): Promise<void> {
  const { exchanges = [], queues = [], bindings = [] } = topology
  for (const {
    name,
    type = 'topic',
    durable = true,
    autoDelete = false,
    arguments: more = {},
  } of exchanges) {
    await channel.exchangeDeclare({ exchange: name, type, durable, autoDelete, arguments: more })
  }
  for (const { name, type, durable = true, exclusive, autoDelete, arguments: more = {} } of queues) {
    await channel.queueDeclare({
      queue: name,
      durable,
      exclusive: exclusive === true,
      autoDelete: autoDelete === true,
      arguments: type === undefined ? more : { ...more, 'x-queue-type': type },
    })
  }
  for (const { exchange, queue, toExchange, routingKey = '', arguments: more = {} } of bindings) {
    if (queue !== undefined) await channel.queueBind({ exchange, queue, routingKey, arguments: more })
    if (toExchange !== undefined) {
      await channel.exchangeBind({ source: exchange, destination: toExchange, routingKey, arguments: more })
    }
  }
}

/** The pattern with wildcards by which a routing key came from an exchange to a queue, where it was declared here. */
export function patternOf(topology: Topology, exchange: string, routingKey: string): string | undefined {
  return topology.bindings?.find(
    (binding) =>
      binding.exchange === exchange &&
      /[*#]/.test(binding.routingKey ?? '') &&
      matches((binding.routingKey ?? '').split('.'), routingKey.split('.')),
  )?.routingKey
}

function matches([wanted, ...rest]: readonly string[], words: readonly string[]): boolean {
  if (wanted === undefined) return words.length === 0
  if (wanted === '#') return words.some((_, index) => matches(rest, words.slice(index))) || matches(rest, [])
  return words.length > 0 && (wanted === '*' || wanted === words[0]) && matches(rest, words.slice(1))
}

function requireNamed(option: string, name: string): void {
  if (name === '') fail(`${option}: a name must not be empty`)
  requireName(option, name)
}
