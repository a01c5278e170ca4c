import type { Attributes } from '@opentelemetry/api'
import type { Delivery } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import type { ArrivedHeaders } from './arrived.ts'
import { eventAttributes } from './attributes.ts'

/** When the send of a delivery's message began, and who says so. */
export interface SentAt {
  /** Unix microseconds. */
  readonly micros: number
  readonly source: 'header' | 'broker'
}

/** Of one message: on its process span, or on a batch's link to it. */
export function messageAttributes({ message }: Delivery, event: CloudEvent | undefined): Attributes {
  const attributes = event === undefined ? {} : eventAttributes(event)
  const messageId = message.properties?.messageId ?? event?.id
  if (messageId !== undefined) attributes['messaging.message.id'] = messageId
  return attributes
}

/** The start of the send where the producer's span may be unknown: our header, else the record's own time. Unix microseconds. */
export function sentAt({ position }: Delivery, { sentAt: header }: ArrivedHeaders): SentAt | undefined {
  if (header !== undefined && /^\d{1,16}$/.test(header)) return { micros: Number(header), source: 'header' }
  if (position.timestampMs === undefined) return undefined
  return { micros: position.timestampMs * 1000, source: 'broker' }
}

export function sentAtAttributes(sent: SentAt | undefined): Attributes {
  if (sent === undefined) return {}
  return { 'throughline.sent_at': sent.micros, 'throughline.sent_at_source': sent.source }
}
