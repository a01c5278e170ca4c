import { bufferOf, type Message } from '@throughline/core'
import type { IPublishPacket } from 'mqtt'
import { wrap } from './envelope.ts'
import type { Endpoint } from './options.ts'
import { propertiesOf } from './properties.ts'

/** What of a PUBLISH, or of a will, comes from the message. */
export interface Payload {
  readonly payload: Buffer
  /** Empty over MQTT 3.1.1. */
  readonly properties: NonNullable<IPublishPacket['properties']>
}

/** A message as it goes over this connection. Throws PermanentError naming what does not fit. */
export function payloadOf(
  message: Message,
  { protocolVersion, envelope }: Pick<Endpoint, 'protocolVersion' | 'envelope'>,
): Payload {
  const carried = envelope ? wrap(message) : message
  return {
    payload: bufferOf(carried.body),
    properties: protocolVersion === 4 ? {} : propertiesOf(carried),
  }
}
