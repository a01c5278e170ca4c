import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { RabbitmqClientInstrumentation } from '@throughline/instrumentation'
import { recordSpans, withSpans } from '@throughline/testkit'
import type * as rabbitmqClient from 'rabbitmq-client'
import { unwrapped } from './carrier.ts'
import { url } from './rabbitmq.ts'

recordSpans()

/** Made before rabbitmq-client is loaded. Connections have the options that it has when they are first used. */
export const instrumentation = new RabbitmqClientInstrumentation()

const load = createRequire(import.meta.url)
export const methods = unwrapped(instrumentation, () => [
  load(join(dirname(load.resolve('rabbitmq-client')), 'Channel.js')).Channel.prototype,
  load('rabbitmq-client').Connection.prototype,
])
export const { Connection, ConsumerStatus }: typeof rabbitmqClient = load('rabbitmq-client')

/** The client takes no user for an empty one. */
export const address = new URL(url)
if (address.username === '') Object.assign(address, { username: 'guest', password: 'guest' })

type Config = ConstructorParameters<typeof RabbitmqClientInstrumentation>[0]

export interface Broker {
  readonly connection: rabbitmqClient.Connection
  /** Of a queue that goes with its test. Consumers declare it again, as it is. */
  queue(): Promise<string>
  /** Ends it with the test. */
  closing<Closable extends { close(): Promise<void> }>(closable: Closable): Closable
}

/** Runs a test on a connection of its own, and ends that before it looks for spans that are left open. */
export function onBroker(
  run: (broker: Broker, spans: ReturnType<typeof recordSpans>) => Promise<void>,
  config: Config = {},
): () => Promise<void> {
  return () =>
    withSpans(async (spans) => {
      instrumentation.setConfig(config)
      const connection = new Connection(String(address))
      const closables: { close(): Promise<void> }[] = []
      try {
        await run(
          {
            connection,
            async queue() {
              const queue = `orders-${randomUUID()}`
              await connection.queueDeclare(queue)
              closables.push({ close: async () => void (await connection.queueDelete(queue)) })
              return queue
            },
            closing(closable) {
              closables.push(closable)
              return closable
            },
          },
          spans,
        )
      } finally {
        for (const closable of closables.reverse()) await closable.close()
        await connection.close()
      }
    })
}
