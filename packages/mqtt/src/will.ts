import { activeContextHeaders, createEvent, type Message, PermanentError } from '@throughline/core'
import type { IClientOptions } from 'mqtt'
import { bindingOf } from './binding.ts'
import type { Endpoint, MqttWill } from './options.ts'
import { payloadOf } from './payload.ts'
import { MAX_STRING_BYTES } from './text.ts'

/** A will as MQTT.js takes it. */
export type Will = NonNullable<IClientOptions['will']>

/**
 * The will of a connection that is made now, with the context that is active now. Throws PermanentError for one that
 * does not fit a CONNECT.
 */
export function willOf(will: MqttWill, endpoint: Endpoint): Will {
  const { topic, qos = 1, retain = false, delaySeconds = 0 } = will
  const message = messageOf(will, endpoint)
  const headers = [...message.headers, ...activeContextHeaders()]
  const { payload, properties } = payloadOf({ ...message, headers }, endpoint)
  // MQTT 5 §3.1.3.4. MQTT.js would break off in the middle of its CONNECT.
  if (payload.byteLength > MAX_STRING_BYTES) {
    const message = `MQTT options: will: takes ${payload.byteLength} bytes, a will has at most ${MAX_STRING_BYTES}`
    throw new PermanentError(message, { code: 'TL_OPTIONS_INVALID' })
  }
  const delay = delaySeconds === 0 ? {} : { willDelayInterval: delaySeconds }
  return { topic, payload, qos, retain, properties: { ...properties, ...delay } }
}

function messageOf({ event, body = '', contentType }: MqttWill, endpoint: Endpoint): Message {
  if (event !== undefined) return bindingOf(endpoint).encode(createEvent(event), { mode: 'binary' })
  const type = contentType === undefined ? {} : { contentType }
  return { body: typeof body === 'string' ? Buffer.from(body) : body, headers: [], ...type }
}
