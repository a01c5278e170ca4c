import { type Attributes, context as contexts } from '@opentelemetry/api'
import type { Settlement } from '@throughline/core'
import { unixMs } from '@throughline/core/tracing'
import { guarded } from '../guard.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { runHandler } from '../messages/processes.ts'
import { serverAttributes } from '../messages/system.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import type { Method } from '../patches.ts'
import { createConnections } from '../systems/connections.ts'
import { deliveryOf, RABBITMQ_PORT, RABBITMQ_TLS_PORT, type Received, refusal } from '../systems/rabbitmq.ts'
import { createRedeliveries } from '../systems/redeliveries.ts'
import { createUnsettled } from '../systems/unsettled.ts'
import { type Channel, type Channels, type PublishOptions, patchPublish } from './amqplib-publish.ts'

const CONNECT = 'lib/connect.js'

/**
 * amqplib, its promises and its callbacks: `publish` and `sendToQueue` of channels and confirm channels, `consume`,
 * `get`, and what the application makes of a message by `ack`, `nack` and `reject`. See docs/instrumentation/amqplib.md.
 */
export class AmqplibInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    const files = [CONNECT, 'lib/channel_model.js', 'lib/callback_model.js']
    return { client: 'amqplib', from: '0.10.0', before: 3, files }
  }

  protected patch(
    module: unknown,
    tracing: Tracing<ClientInstrumentationConfig>,
    file: string | undefined,
  ): void {
    if (file === CONNECT) patchConnect(module as object, tracing)
    else patchChannels(module as Channels, tracing)
  }
}

interface ReceivedMessage {
  readonly content: Uint8Array
  readonly fields: Pick<Received, 'deliveryTag' | 'redelivered' | 'exchange' | 'routingKey'>
  readonly properties: Pick<PublishOptions, 'headers' | 'contentType' | 'messageId'>
}

const connections = new WeakMap<object, Attributes>()
const redeliveries = createRedeliveries()
const unsettled = createUnsettled()

function patchConnect(module: object, { patches }: Tracing<ClientInstrumentationConfig>): void {
  patches.wrap(
    module,
    'connect',
    (connect) =>
      function (url, options, opened, ...rest) {
        if (typeof opened !== 'function') return connect.call(this, url, options, opened, ...rest)
        const onOpened: Method = (error, connection, ...more) => {
          guarded('an amqplib connection', () => {
            if (connection) connections.set(connection, connectionAttributes(url, options))
          })
          return opened(error, connection, ...more)
        }
        return connect.call(this, url, options, onOpened, ...rest)
      },
  )
}

function patchChannels(
  { Channel, ConfirmChannel }: Channels,
  tracing: Tracing<ClientInstrumentationConfig>,
): void {
  const { patches } = tracing
  const connectionOf = createConnections(tracing, (connection) => connections.get(connection) ?? {})

  patchPublish({ Channel, ConfirmChannel }, patches, connectionOf)

  patches.wrap(
    Channel.prototype,
    'consume',
    (consume) =>
      function (queue, handler, options, ...rest) {
        const traced =
          typeof handler === 'function'
            ? guarded('amqplib consume', () => tracedHandler(this, queue, handler, options))
            : undefined
        return consume.call(this, queue, traced ?? handler, options, ...rest)
      },
  )

  patches.wrap(
    Channel.prototype,
    'get',
    (get) =>
      function (queue, options, answered, ...rest) {
        const active = contexts.active()
        const startMs = unixMs()
        const received = (message: unknown): void => {
          guarded('amqplib get', () => {
            if (!isReceived(message)) return
            const delivery = deliveryOf(receivedOf(queue, message))
            connectionOf(this.connection).processes.received({ delivery, own: message }, startMs, active)
          })
        }
        if (typeof answered === 'function') {
          const onAnswered: Method = (error, message, ...more) => {
            received(message)
            return answered(error, message, ...more)
          }
          return get.call(this, queue, options, onAnswered, ...rest)
        }
        const answer: unknown = get.call(this, queue, options, answered, ...rest)
        if (!(answer instanceof Promise)) return answer
        return answer.then((message: unknown) => {
          received(message)
          return message
        })
      },
  )

  settling('ack', (message, allUpTo) => [tagOf(message), allUpTo, 'accept'])
  settling('ackAll', () => [0, true, 'accept'])
  settling('nack', (message, allUpTo, requeue) => [tagOf(message), allUpTo, refusal(requeue)])
  settling('nackAll', (requeue) => [0, true, refusal(requeue)])
  settling('reject', (message, requeue) => [tagOf(message), false, refusal(requeue)])

  function settling(
    name: string,
    outcomeOf: (...args: unknown[]) => [tag: number, multiple: unknown, outcome: Settlement['outcome']],
  ): void {
    patches.wrap(
      Channel.prototype,
      name,
      (settle) =>
        function (...args) {
          const result = settle.apply(this, args)
          guarded(`amqplib ${name}`, () => {
            const [tag, multiple, outcome] = outcomeOf(...args)
            unsettled.settle(this, tag, Boolean(multiple), outcome)
          })
          return result
        },
    )
  }

  function tracedHandler(
    channel: Channel,
    queue: unknown,
    handler: Method,
    options: { readonly noAck?: boolean } | undefined,
  ): Method {
    const { processes } = connectionOf(channel.connection)
    const isAcknowledged = !options?.noAck

    function begin(message: unknown) {
      // Null: the broker has ended the consumer.
      if (!isReceived(message) || !tracing.isEnabled()) return undefined
      const handling = redeliveries.begin(processes, receivedOf(queue, message), message, isAcknowledged)
      if (handling !== undefined && isAcknowledged) unsettled.add(channel, tagOf(message), handling)
      return handling
    }

    return function (message, ...rest) {
      const handling = guarded('an amqplib message', () => begin(message))
      if (handling === undefined) return handler.call(this, message, ...rest)
      return runHandler(handling.processing, () => handler.call(this, message, ...rest), handling)
    }
  }
}

function isReceived(message: unknown): message is ReceivedMessage {
  return typeof message === 'object' && message !== null && 'fields' in message && 'properties' in message
}

function receivedOf(queue: unknown, { content, fields, properties }: ReceivedMessage): Received {
  const { deliveryTag, redelivered, exchange, routingKey } = fields
  const { headers, contentType, messageId } = properties
  return {
    queue: String(queue ?? ''),
    exchange,
    routingKey,
    deliveryTag,
    redelivered,
    headers,
    contentType,
    messageId,
    body: content,
  }
}

function tagOf(message: unknown): number {
  return isReceived(message) ? message.fields.deliveryTag : -1
}

/** From what `connect` was given, the vhost and all that is secret left out. */
function connectionAttributes(url: unknown, options: unknown): Attributes {
  const name = (options as { clientProperties?: { connection_name?: unknown } } | undefined)?.clientProperties
    ?.connection_name
  return {
    ...serverOf(url),
    ...(typeof name === 'string' ? { 'messaging.client.id': name } : {}),
  }
}

function serverOf(url: unknown): Attributes {
  if (typeof url === 'string' && url !== '') {
    return serverAttributes(url, url.startsWith('amqps:') ? RABBITMQ_TLS_PORT : RABBITMQ_PORT)
  }
  const { protocol, hostname, port } = (url || {}) as {
    readonly [Name in 'protocol' | 'hostname' | 'port']?: unknown
  }
  const address = typeof hostname === 'string' && hostname !== '' ? hostname : 'localhost'
  const usual = protocol === undefined || protocol === 'amqp' ? RABBITMQ_PORT : RABBITMQ_TLS_PORT
  return { 'server.address': address, 'server.port': Number(port || usual) }
}
