import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AmqplibInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type * as amqplib from 'amqplib'
import type * as amqplibCallbacks from 'amqplib/callback_api'
import { unwrapped } from './carrier.ts'
import { url } from './rabbitmq.ts'

recordSpans()

/** Made before amqplib is loaded. Connections have the options that it has when they are first used. */
export const instrumentation = new AmqplibInstrumentation()

const load = createRequire(import.meta.url)
export const methods = unwrapped(instrumentation, () => {
  // Its classes are not exported.
  const own = (file: string) => load(join(dirname(load.resolve('amqplib')), 'lib', file))
  const models = [own('channel_model.js'), own('callback_model.js')]
  const channels = models.flatMap(({ Channel, ConfirmChannel }) => [Channel, ConfirmChannel])
  return [own('connect.js'), ...channels.map(({ prototype }) => prototype)]
})
export const amqp: typeof amqplib = load('amqplib')
export const callbacks: typeof amqplibCallbacks = load('amqplib/callback_api')

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

/** The next message of a queue, as it came. */
export async function delivered(channel: amqplib.Channel, queue: string): Promise<amqplib.GetMessage> {
  return await eventually(async () => {
    const message = await channel.get(queue, { noAck: true })
    if (message === false) throw new Error(`nothing is in ${queue}`)
    return message
  })
}
