import { isDeepStrictEqual } from 'node:util'
import { errorMessage } from '@throughline/core'
import type { Envelope, ReturnedMessage } from 'rabbitmq-client'
import type { Route } from './destination.ts'
import { NOT_FOUND_CODE, replyCodeOf } from './errors.ts'

/** A message as the driver takes it. */
export interface Outgoing extends Route {
  readonly envelope: Envelope
  readonly body: Buffer
  /** The broker's words for why no queue took it. */
  returned?: string
}

/**
 * AMQP returns a message without saying which one it is: the first one under way that is equal. A header exchange goes by
 * the headers alone; where none has exactly these, the first that is equal but for them.
 */
export function noteReturn(underWay: Iterable<Outgoing>, returned: ReturnedMessage): void {
  let alike: Outgoing | undefined
  for (const each of underWay) {
    if (!isAlike(each, returned)) continue
    alike ??= each
    if (!isDeepStrictEqual({ ...each.envelope.headers }, { ...returned.headers })) continue
    each.returned = returned.replyText
    return
  }
  if (alike !== undefined) alike.returned = returned.replyText
}

function isAlike(each: Outgoing, returned: ReturnedMessage): boolean {
  return (
    each.returned === undefined &&
    each.exchange === returned.exchange &&
    each.routingKey === returned.routingKey &&
    each.envelope.messageId === returned.messageId &&
    Buffer.isBuffer(returned.body) &&
    each.body.equals(returned.body)
  )
}

/** The `code` of the error, where the broker's words for closing the channel name this message; undefined where they do not. */
export function blameCode({ exchange, routingKey, body }: Outgoing, reason: unknown): string | undefined {
  const text = errorMessage(reason)
  const isOfExchange = text.includes(`exchange '${exchange}'`)
  if (replyCodeOf(reason) === 'NOT_FOUND' && isOfExchange) return NOT_FOUND_CODE
  if (replyCodeOf(reason) === 'ACCESS_REFUSED' && isOfExchange) {
    // Rights may be given by topic: other routing keys of the exchange are not refused.
    const isOfOther = text.includes("topic '") && !text.includes(`topic '${routingKey}'`)
    return isOfOther ? undefined : 'TL_RABBITMQ_REFUSED'
  }
  const [, size] = /message size (\d+)/.exec(text) ?? []
  return size !== undefined && body.length === Number(size) ? 'TL_TOO_LARGE' : undefined
}
