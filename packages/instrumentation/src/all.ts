import { KafkaJsInstrumentation } from './clients/kafkajs.ts'
import type { ClientInstrumentation } from './instrumentation.ts'
import type { ClientInstrumentationConfig } from './options.ts'

/** The clients that are known: their instrumentations by the names of their npm packages. */
const classes = {
  kafkajs: KafkaJsInstrumentation,
} as const

export type ClientName = keyof typeof classes

export const clientNames = Object.keys(classes) as readonly ClientName[]

/** Options for all clients, and for one beside or instead of them. */
export interface InstrumentationsOptions extends ClientInstrumentationConfig {
  readonly clients?: { readonly [Name in ClientName]?: ConstructorParameters<(typeof classes)[Name]>[0] }
}

/**
 * The instrumentations of all clients, for `registerInstrumentations` or an SDK's `instrumentations`. One of
 * `{ clients: { mqtt: { enabled: false } } }` is made and does nothing.
 */
export function createInstrumentations({
  clients = {},
  ...shared
}: InstrumentationsOptions = {}): ClientInstrumentation[] {
  return clientNames.map((name) => new classes[name]({ ...shared, ...clients[name] }))
}
