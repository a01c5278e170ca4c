import { AmqplibInstrumentation } from './clients/amqplib.ts'
import { ConfluentKafkaInstrumentation } from './clients/confluent-kafka.ts'
import { KafkaJsInstrumentation } from './clients/kafkajs.ts'
import { MqttInstrumentation } from './clients/mqtt.ts'
import { PlatformaticKafkaInstrumentation } from './clients/platformatic-kafka.ts'
import { RabbitmqClientInstrumentation } from './clients/rabbitmq-client.ts'
import type { ClientInstrumentation } from './instrumentation.ts'
import type { ClientInstrumentationConfig } from './options.ts'

/** The clients that are known: their instrumentations by the names of their npm packages. */
const classes = {
  amqplib: AmqplibInstrumentation,
  '@confluentinc/kafka-javascript': ConfluentKafkaInstrumentation,
  kafkajs: KafkaJsInstrumentation,
  mqtt: MqttInstrumentation,
  '@platformatic/kafka': PlatformaticKafkaInstrumentation,
  'rabbitmq-client': RabbitmqClientInstrumentation,
} as const

/** Name of the npm package of a client that is known. */
export type ClientName = keyof typeof classes

export const clientNames = Object.keys(classes) as readonly ClientName[]

/** Options for all clients, and of one client beside or instead of them. */
export interface InstrumentationsOptions extends ClientInstrumentationConfig {
  readonly clients?: { readonly [Name in ClientName]?: ConstructorParameters<(typeof classes)[Name]>[0] }
}

/**
 * The instrumentations of all clients, for `registerInstrumentations` or an SDK's `instrumentations`. A client with
 * `enabled: false` has none: `registerInstrumentations` would enable it.
 */
export function createInstrumentations({
  clients = {},
  ...shared
}: InstrumentationsOptions = {}): ClientInstrumentation[] {
  const wanted = clientNames.filter((name) => (clients[name]?.enabled ?? shared.enabled) !== false)
  return wanted.map((name) => new classes[name]({ ...shared, ...clients[name] }))
}
