import { type Attributes, context as contexts } from '@opentelemetry/api'
import type { Settlement } from '@throughline/core'
import { unixMs } from '@throughline/core/tracing'
import { guarded } from '../guard.ts'
import { ClientInstrumentation, type Supported, type Tracing } from '../instrumentation.ts'
import { runHandler } from '../messages/processes.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import type { Method } from '../patches.ts'
import { createConnections, type TracedConnection } from '../systems/connections.ts'
import { deliveryOf, type Received, refusal } from '../systems/rabbitmq.ts'
import { createRedeliveries } from '../systems/redeliveries.ts'
import { createUnsettled } from '../systems/unsettled.ts'
import { bytesOf, type Channel, patchBasicPublish, patchCreatePublisher } from './rabbitmq-client-publish.ts'

const CHANNEL = 'lib/Channel.js'

/**
 * rabbitmq-client: publishers, consumers with what their handlers answer, RPC clients and replies, and channels by
 * themselves (`basicPublish`, `basicConsume`, `basicGet`). See docs/instrumentation/rabbitmq-client.md.
 */
export class RabbitmqClientInstrumentation extends ClientInstrumentation {
  protected supported(): Supported {
    return { client: 'rabbitmq-client', from: '5.0.0', before: 6, files: [CHANNEL, 'lib/Connection.js'] }
  }

  protected patch(
    module: unknown,
    tracing: Tracing<ClientInstrumentationConfig>,
    file: string | undefined,
  ): void {
    const { Channel, Connection } = module as { readonly Channel: Class; readonly Connection: Class }
    if (file === CHANNEL) patchChannel(Channel, tracing)
    else patchConnection(Connection, tracing)
  }
}

/** As far as they are read here. */
interface Class {
  readonly prototype: object
}
interface ReceivedMessage extends Omit<Received, 'queue' | 'body'> {
  readonly body: unknown
}
interface ConsumeParams {
  readonly queue?: string
  readonly noAck?: boolean
  readonly requeue?: boolean
}

/** `ConsumerStatus` of the client. */
const REQUEUE = 1
const DROP = 2

const accepting = (): Settlement['outcome'] => 'accept'

const redeliveries = createRedeliveries()
const unsettled = createUnsettled()
/** Parameters of consumers, whose own handlers are traced. */
const consumers = new WeakSet<object>()
/** By which channel a consumer has a message: on no other can it be acknowledged. */
const channels = new WeakMap<object, object>()

function remembering(channel: object, handler: Method): Method {
  return (message, ...rest) => {
    if (isReceived(message)) channels.set(message, channel)
    return handler(message, ...rest)
  }
}

function patchChannel({ prototype }: Class, tracing: Tracing<ClientInstrumentationConfig>): void {
  const { patches } = tracing
  const connectionOf = createConnections(tracing, connectionAttributes)

  patchBasicPublish(prototype, patches, connectionOf)

  patches.wrap(
    prototype,
    'basicConsume',
    (consume) =>
      function (params: ConsumeParams, handler, ...rest) {
        if (typeof handler !== 'function') return consume.call(this, params, handler, ...rest)
        const isConsumer = consumers.has(params)
        const traced = isConsumer ? remembering(this, handler) : tracedHandler(this, params ?? {}, handler)
        return consume.call(this, params, traced, ...rest)
      },
  )

  patches.wrap(
    prototype,
    'basicGet',
    (get) =>
      function (params: string | ConsumeParams, ...rest) {
        const active = contexts.active()
        const startMs = unixMs()
        const answer: Promise<unknown> = get.call(this, params, ...rest)
        return answer.then((message) => {
          guarded('rabbitmq-client basicGet', () => {
            if (!isReceived(message)) return
            const connection = connectionOf(this._conn)
            const { queue = '' } = typeof params === 'string' ? { queue: params } : (params ?? {})
            const delivery = deliveryOf(receivedOf(connection, queue, message))
            connection.processes.received({ delivery, own: message }, startMs, active)
          })
          return message
        })
      },
  )

  for (const [name, outcomeOf] of [
    ['basicAck', accepting],
    ['basicNack', refusal],
  ] as const) {
    patches.wrap(
      prototype,
      name,
      (settle) =>
        function (params, ...rest) {
          const result = settle.call(this, params, ...rest)
          guarded(`rabbitmq-client ${name}`, () => {
            const { deliveryTag, multiple, requeue } = params
            unsettled.settle(this, deliveryTag, Boolean(multiple), outcomeOf(requeue))
          })
          return result
        },
    )
  }

  function tracedHandler(
    channel: Channel,
    { queue = '', noAck = false }: ConsumeParams,
    handler: Method,
  ): Method {
    return function (message, ...rest) {
      const handling = guarded('a rabbitmq-client message', () => {
        if (!tracing.isEnabled() || !isReceived(message)) return undefined
        const connection = connectionOf(channel._conn)
        const received = receivedOf(connection, queue, message)
        const begun = redeliveries.begin(connection.processes, received, message, !noAck)
        if (begun !== undefined && !noAck) unsettled.add(channel, message.deliveryTag, begun)
        return begun
      })
      if (handling === undefined) return handler.call(this, message, ...rest)
      return runHandler(handling.processing, () => handler.call(this, message, ...rest), handling)
    }
  }
}

function patchConnection({ prototype }: Class, tracing: Tracing<ClientInstrumentationConfig>): void {
  const { patches } = tracing
  const connectionOf = createConnections(tracing, connectionAttributes)

  patchCreatePublisher(prototype, patches, connectionOf)

  patches.wrap(
    prototype,
    'createConsumer',
    (createConsumer) =>
      function (params: ConsumeParams, handler, ...rest) {
        if (typeof handler !== 'function' || Object(params) !== params) {
          return createConsumer.call(this, params, handler, ...rest)
        }
        // Read as the application's, and no other's: it may give the same ones to a channel.
        const own = new Proxy(params, { get: (given, name) => Reflect.get(given, name) })
        consumers.add(own)
        // The broker may name the queue, anew with each connection.
        const queueOf = (): string => consumer.queue || params.queue
        const traced = tracedHandler(this, params, handler, queueOf)
        const consumer = createConsumer.call(this, own, traced, ...rest)
        return consumer
      },
  )

  function tracedHandler(
    connection: object,
    params: ConsumeParams,
    handler: Method,
    queueOf: () => string | undefined,
  ): Method {
    const { noAck = false } = params
    return function (message, ...rest) {
      const handling = guarded('a rabbitmq-client message', () => {
        if (!tracing.isEnabled() || !isReceived(message)) return undefined
        const traced = connectionOf(connection)
        const received = receivedOf(traced, queueOf() ?? '', message)
        const begun = redeliveries.begin(traced.processes, received, message, !noAck)
        const channel = noAck ? undefined : channels.get(message)
        if (begun !== undefined && channel !== undefined) unsettled.add(channel, message.deliveryTag, begun)
        return begun
      })
      if (handling === undefined) return handler.call(this, message, ...rest)
      return runHandler(handling.processing, () => handler.call(this, message, ...rest), {
        returned: (status) => (noAck ? 'accept' : outcomeOf(status)),
        threw: noAck ? 'accept' : refusal(params.requeue),
        awaits: true,
      })
    }
  }
}

function outcomeOf(status: unknown): Settlement['outcome'] {
  if (status === DROP) return 'reject'
  return status === REQUEUE ? 'release' : 'accept'
}

function isReceived(message: unknown): message is ReceivedMessage {
  return typeof message === 'object' && message !== null && 'deliveryTag' in message
}

function receivedOf({ config }: TracedConnection, queue: string, message: ReceivedMessage): Received {
  const { exchange, routingKey, deliveryTag, redelivered, headers, contentType, messageId } = message
  return {
    queue,
    exchange,
    routingKey,
    deliveryTag,
    redelivered,
    headers,
    contentType,
    messageId,
    body: bytesOf(message.body, config),
  }
}

/** From what the client has read of its options. */
function connectionAttributes(connection: object): Attributes {
  const { _opt: options } = connection as { readonly _opt?: Options }
  const { hostname, port } = options?.hosts?.[0] ?? {}
  return {
    ...(typeof hostname === 'string' ? { 'server.address': hostname.replace(/^\[|\]$/g, '') } : {}),
    ...(hostname === undefined || port === undefined ? {} : { 'server.port': Number(port) }),
    ...(typeof options?.connectionName === 'string' ? { 'messaging.client.id': options.connectionName } : {}),
  }
}

interface Options {
  readonly hosts?: readonly { readonly hostname?: unknown; readonly port?: unknown }[]
  readonly connectionName?: unknown
}
