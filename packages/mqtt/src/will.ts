import { activeContextHeaders, createEvent, type Message } from '@throughline/core'
import type { IClientOptions } from 'mqtt'
import { bindingOf } from './binding.ts'
import type { Endpoint, MqttWill } from './options.ts'
import { payloadOf } from './payload.ts'

/** A will as MQTT.js takes it. */
export type Will = NonNullable<IClientOptions['will']>

/** The will of a connection that is made now, with the context that is active now. */
export function willOf(will: MqttWill, endpoint: Endpoint): Will {
  const { topic, qos = 1, retain = false, delaySeconds = 0 } = will
  const message = messageOf(will, endpoint)
  const headers = [...message.headers, ...activeContextHeaders()]
  const { payload, properties } = payloadOf({ ...message, headers }, endpoint)
  const delay = delaySeconds === 0 ? {} : { willDelayInterval: delaySeconds }
  return { topic, payload, qos, retain, properties: { ...properties, ...delay } }
}

function messageOf({ event, body = '', contentType }: MqttWill, endpoint: Endpoint): Message {
  if (event !== undefined) return bindingOf(endpoint).encode(createEvent(event), { mode: 'binary' })
  const type = contentType === undefined ? {} : { contentType }
  return { body: typeof body === 'string' ? Buffer.from(body) : body, headers: [], ...type }
}
