import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { AmqplibInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type * as amqplib from 'amqplib'
import type * as amqplibCallbacks from 'amqplib/callback_api'

recordSpans()

/** Made before amqplib is loaded. Connections have the options that it has when they are first used. */
export const instrumentation = new AmqplibInstrumentation()

const load = createRequire(import.meta.url)
export const amqp: typeof amqplib = load('amqplib')
export const callbacks: typeof amqplibCallbacks = load('amqplib/callback_api')

export const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672'
const { hostname, port } = new URL(url)

/** What every span has. */
export const FIXED = {
  'messaging.system': 'rabbitmq',
  'server.address': hostname,
  'server.port': Number(port),
}
export const PUBLISH = {
  ...FIXED,
  'messaging.operation.name': 'publish',
  'messaging.operation.type': 'send',
}
export const PROCESS = {
  ...FIXED,
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
}
/** Differs by run. */
export const OMIT = ['throughline.sent_at', 'throughline.sent_at_source', 'exception.stacktrace']

type Config = ConstructorParameters<typeof AmqplibInstrumentation>[0]

export interface Broker {
  readonly connection: amqplib.ChannelModel
  readonly channel: amqplib.Channel
  /** Of a queue that goes with its connection. */
  queue(options?: amqplib.Options.AssertQueue): Promise<string>
}

/** Runs a test on a connection of its own, and ends that before it looks for spans that are left open. */
export function onBroker(
  run: (broker: Broker, spans: ReturnType<typeof recordSpans>) => Promise<void>,
  config: Config = {},
): () => Promise<void> {
  return () =>
    withSpans(async (spans) => {
      instrumentation.setConfig(config)
      const connection = await amqp.connect(url)
      try {
        const channel = await connection.createChannel()
        const queue = async (options?: amqplib.Options.AssertQueue) => {
          const asserted = await channel.assertQueue(`orders-${randomUUID()}`, {
            exclusive: true,
            ...options,
          })
          return asserted.queue
        }
        await run({ connection, channel, queue }, spans)
      } finally {
        await connection.close().catch(() => {})
      }
    })
}

/** Waits for as many spans of the name to have ended. */
export async function ended(name: string, count = 1): Promise<void> {
  await eventually(() => {
    const found = recordSpans().named(name).length
    if (found !== count) throw new Error(`${found} spans ${name} have ended, ${count} were to`)
  })
}

/** The next message of a queue, as it came. */
export async function delivered(channel: amqplib.Channel, queue: string): Promise<amqplib.GetMessage> {
  return await eventually(async () => {
    const message = await channel.get(queue, { noAck: true })
    if (message === false) throw new Error(`nothing is in ${queue}`)
    return message
  })
}

/** The next rejection that nobody handles, in place of the test runner's own look at it. */
export async function unhandledRejection(): Promise<unknown> {
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const [reason] = await once(process, 'unhandledRejection')
  for (const listener of listeners) process.on('unhandledRejection', listener)
  return reason
}
