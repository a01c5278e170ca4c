import type { TestContext } from 'node:test'
import type { Delivery, Subscriber } from '@throughline/core'
import type { MqttOptions } from '../src/options.ts'
import type { MqttSubscriberOptions } from '../src/subscriber.ts'
import { mqttTransport } from '../src/transport.ts'
import { type ScriptedBroker, scriptedBroker } from './scripted-broker.ts'

/** A broker that says what the test tells it to. */
export async function broker(t: TestContext): Promise<ScriptedBroker> {
  const scripted = await scriptedBroker()
  t.after(() => scripted[Symbol.asyncDispose]())
  return scripted
}

/** A subscriber of it, which the test's end closes. */
export function subscriber(
  t: TestContext,
  { url }: ScriptedBroker,
  settings: Partial<MqttSubscriberOptions> = {},
  options: Partial<MqttOptions> = {},
): Subscriber {
  const made = mqttTransport({ url, clientId: 'edge', ...options }).subscriber({ topics: ['#'], ...settings })
  t.after(() => made.close())
  return made
}

/** Reads on in the background; what it read, and how it ended. */
export function reading(made: Subscriber, signal?: AbortSignal) {
  const deliveries: Delivery[] = []
  const read = async () => {
    for await (const arrived of made.deliveries(signal)) deliveries.push(...arrived)
  }
  const ended = read().then(
    () => 'ended',
    (error: unknown) => error,
  )
  return { deliveries, ended }
}

export const ACCEPT = { outcome: 'accept' } as const
