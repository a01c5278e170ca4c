import { type Broker, createBroker } from '@throughline/core'
import type { MqttOptions } from './options.ts'
import type { MqttPublisherOptions } from './publisher.ts'
import type { MqttSubscriberOptions } from './subscriber.ts'
import { mqttTransport } from './transport.ts'

export { mqttBinding } from './binding.ts'
export type { MqttOptions, MqttWill, TlsOptions } from './options.ts'
export type { MqttPublisherOptions } from './publisher.ts'
export { TAKEN_OVER_CODE } from './reason.ts'
export type { MqttSubscriberOptions } from './subscriber.ts'
export { type MqttTransport, mqttTransport } from './transport.ts'

/** A broker that speaks MQTT 5 or 3.1.1: `mqtt({ url: 'mqtt://localhost:1883', clientId: 'greenhouse' })`. */
export function mqtt(options: MqttOptions): Broker<MqttPublisherOptions, MqttSubscriberOptions> {
  return createBroker(mqttTransport(options))
}
