import { type Attributes, type Context, context as contexts } from '@opentelemetry/api'
import type { Delivery } from '../contract.ts'
import type { CloudEvent } from '../event.ts'
import type { Message } from '../message.ts'
import type { ArrivedHeaders } from './arrived.ts'
import type { SentAt } from './delivery.ts'
import { REPLAY_HEADER } from './headers.ts'
import { extractContext } from './propagation.ts'
import { withSendTelemetry } from './send.ts'

/** Why a delivery is handled in a trace of its own, long after what sent it: the name its link has. */
export type Late = 'replay' | 'delayed'

/**
 * A message to publish again, long after it was first sent: its consumers handle it in a trace of its own, linked to
 * this send, and say that it is a replay. The send links to what first sent it. The message given is not changed.
 */
export function withReplay(message: Message): Message {
  const parent: Context = message.context ?? contexts.active()
  const original = extractContext(message.headers).spanContext
  const links = original === undefined ? [] : [{ context: original, attributes: { replay: true } }]
  return {
    ...message,
    headers: [
      ...message.headers.filter(([name]) => name.toLowerCase() !== REPLAY_HEADER),
      [REPLAY_HEADER, 'true'],
    ],
    context: withSendTelemetry(parent, { links, attributes: { 'app.replay': true } }),
  }
}

/** Whether a delivery is a replay, or waited longer than `delayAfterMs` for the process that starts now. */
export function lateness(
  delivery: Delivery,
  arrived: ArrivedHeaders,
  sent: SentAt | undefined,
  startMs: number,
  delayAfterMs: number | undefined,
): Late | undefined {
  if (delivery.replayed || arrived.replay !== undefined) return 'replay'
  if (delayAfterMs === undefined || sent === undefined) return undefined
  return startMs - sent.micros / 1000 > delayAfterMs ? 'delayed' : undefined
}

/** When what is handled late happened: the event's `time` as it is written, else the broker's own. */
export function lateAttributes(
  late: Late | undefined,
  delivery: Delivery,
  event: CloudEvent | undefined,
): Attributes {
  if (late === undefined) return {}
  const { timestampMs } = delivery.position
  const original = event?.time ?? (timestampMs === undefined ? undefined : isoTime(timestampMs))
  return {
    ...(late === 'replay' ? { 'app.replay': true } : { 'throughline.delayed': true }),
    ...(original === undefined ? {} : { 'app.original_timestamp': original }),
  }
}

/** Undefined for what no calendar has: the value is a stranger's. */
function isoTime(unixMs: number): string | undefined {
  const time = new Date(unixMs)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}
