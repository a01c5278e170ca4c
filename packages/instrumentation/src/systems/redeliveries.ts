import { trace } from '@opentelemetry/api'
import type { Settlement } from '@throughline/core'
import type { Failed } from '../messages/attempts.ts'
import type { Processes, Processing } from '../messages/processes.ts'
import { deliveryOf, REPLY_TO, type Received } from './rabbitmq.ts'

/** One message in the application's hands, and what its end means (`Outcomes`). */
export interface Handling {
  readonly processing: Processing
  /** What the application has told the broker of it, whether its handler returned or threw. */
  returned: Settlement['outcome'] | undefined
  threw: Settlement['outcome'] | undefined
  /** The application has told the broker. */
  told(outcome: Settlement['outcome']): void
}

/** Starts the process spans of RabbitMQ's messages, and remembers them for when the same message comes again. */
export interface Redeliveries {
  /** `own`: the client's message. `isAcknowledged`: the broker waits for its outcome. Undefined: not traced. */
  begin(processes: Processes, received: Received, own: object, isAcknowledged: boolean): Handling | undefined
}

/** Of more messages without an outcome the oldest are forgotten, half of them at a time: a map's oldest entry is dear to find. */
const MAX_MESSAGES = 10_000

/**
 * The last attempt in this process at each message that has not been acknowledged: in its own queue the next one links to
 * it as a retry, in another one, where the broker has moved it, as a dead letter.
 */
export function createRedeliveries(): Redeliveries {
  let recent = new Map<string, Failed>()
  let older = new Map<string, Failed>()

  const lastOf = (identity: string) => recent.get(identity) ?? older.get(identity)

  function remember(identity: string, attempt: Failed): void {
    if (recent.size >= MAX_MESSAGES / 2) {
      older = recent
      recent = new Map()
    }
    recent.set(identity, attempt)
  }

  function forget(identity: string): void {
    recent.delete(identity)
    older.delete(identity)
  }

  return {
    begin(processes, received, own, isAcknowledged) {
      const delivery = deliveryOf(received)
      const name = nameOf(received)
      const identity = isAcknowledged && name !== undefined ? `${received.queue} ${name}` : undefined
      const before = delivery.redelivered && identity !== undefined ? lastOf(identity) : undefined
      const attempt = Math.max(delivery.attempt, (before?.attempt ?? 0) + 1)
      const counted = attempt === delivery.attempt ? delivery : { ...delivery, attempt }
      // An answer goes to whoever waits for it, and not to a handler.
      const isLooped = received.queue === REPLY_TO
      const processing = processes.one({ delivery: counted, own, isLooped, previous: before?.span })
      if (processing === undefined) return undefined
      const { span } = processing.process
      const { deadLettered } = delivery
      const rejected = deadLettered === undefined ? undefined : lastOf(`${deadLettered.queue} ${name}`)
      if (rejected !== undefined) {
        span.addLink({ context: rejected.span.spanContext(), attributes: { dead_letter: true } })
      }
      // Not the span itself, which would keep all that it tells.
      if (identity !== undefined)
        remember(identity, { span: trace.wrapSpanContext(span.spanContext()), attempt })
      const outcome = isAcknowledged ? undefined : 'accept'
      return {
        processing,
        returned: outcome,
        threw: outcome,
        told(outcome) {
          this.returned = outcome
          this.threw = outcome
          if (outcome === 'accept' && identity !== undefined) forget(identity)
        },
      }
    },
  }
}

/**
 * RabbitMQ gives a message no name that it keeps. The context that it was sent with is one, since no two sends have the
 * same; with its message id, since an application may give several messages one context.
 */
function nameOf({ headers, messageId }: Received): string | undefined {
  const traceparent = headers?.traceparent
  if (typeof traceparent !== 'string' && messageId === undefined) return undefined
  return `${traceparent} ${messageId}`
}
