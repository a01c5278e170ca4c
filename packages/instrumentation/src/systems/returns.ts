import type { PublishResult } from '@throughline/core'
import type { HeaderRecord } from '../messages/headers.ts'

/** A message on its way to the broker, which gives it back where it is `mandatory` and no queue takes it (AMQP 0-9-1 §1.8.3.7). */
export interface Routed {
  readonly mandatory: boolean
  readonly exchange: string
  readonly routingKey: string
  readonly messageId: string | undefined
  /** As they are sent. */
  readonly headers: HeaderRecord | null | undefined
  /** The broker's word for why it came back: `NO_ROUTE`. */
  returned?: string
}

/** A message that came back. */
export interface Returned extends Omit<Routed, 'mandatory' | 'returned'> {
  readonly replyText: string
}

/** The result of a send of which nothing more is told. */
export const SENT: PublishResult<Error> = { ok: true }

/**
 * AMQP gives a message back without saying which one it is. No two sends have the same context, and what has one that the
 * application gave to several messages of one route goes where they go.
 */
export function noteReturn(underWay: Iterable<Routed>, returned: Returned): void {
  for (const each of underWay) {
    if (!each.mandatory || each.returned !== undefined || !isSame(each, returned)) continue
    each.returned = returned.replyText
    return
  }
}

/** What became of a message that the broker has confirmed: it confirms what it gave back, too, right behind it. */
export function confirmed({ returned: reason }: Routed): PublishResult<Error> {
  if (reason === undefined) return SENT
  const error = new Error(`the broker returned the message, which no queue takes: ${reason}`)
  return { ok: false, error: Object.assign(error, { code: reason }) }
}

function isSame(sent: Routed, returned: Returned): boolean {
  return (
    sent.exchange === returned.exchange &&
    sent.routingKey === returned.routingKey &&
    sent.messageId === returned.messageId &&
    String(sent.headers?.traceparent) === String(returned.headers?.traceparent)
  )
}
