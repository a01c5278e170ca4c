import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { Delivery, Settlement, Subscriber, Transport } from '../contract.ts'
import { destinationAttributes } from './attributes.ts'
import { unixMs } from './clock.ts'
import { recordFailure } from './failure.ts'
import { tracer } from './tracer.ts'

/** One delivery to be settled, and the process span in which it was handled where there was one. */
export interface Settling {
  readonly delivery: Delivery
  readonly process: Span | undefined
}

/** Ends the spans of one settlement: null when it has been handed to the broker. */
export type EndSettle = (error: Error | null) => void

/**
 * Starts CLIENT spans of one settlement: `ack` or `nack` under each process span, with the count where that is a batch's;
 * `commit`, where that is what the transport does, for all deliveries at once in a trace of its own.
 */
export function settleTracer(
  { system, settleOperation = 'ack', attributes }: Transport<never, never>,
  subscriber: Subscriber,
  template: string | undefined,
): (settled: readonly Settling[], outcome: Settlement['outcome']) => EndSettle {
  const fixed: Attributes = {
    'messaging.system': system,
    'messaging.operation.type': 'settle',
    ...attributes.connection,
    ...subscriber.attributes,
  }

  function start(operation: string, settled: readonly Settling[], parent: Span | undefined): Span {
    const positions = settled.map(({ delivery }) => delivery.position)
    const [first] = positions
    const shared = positions.every(({ destination }) => destination === first?.destination)
      ? first
      : undefined
    const name = template ?? shared?.pattern
    const place = shared === undefined ? {} : destinationAttributes(shared.destination, name)
    const label = name ?? shared?.destination
    return tracer.startSpan(
      label === undefined ? operation : `${operation} ${label}`,
      {
        kind: SpanKind.CLIENT,
        startTime: unixMs(),
        attributes: {
          ...fixed,
          'messaging.operation.name': operation,
          ...place,
          ...(settled.length > 1 ? { 'messaging.batch.message_count': settled.length } : {}),
        },
      },
      parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent),
    )
  }

  function operationOf(outcome: Settlement['outcome']): 'ack' | 'nack' | 'commit' {
    if (outcome === 'release') return 'nack'
    return outcome === 'accept' || settleOperation === 'commit' ? settleOperation : 'nack'
  }

  return (settled, outcome) => {
    const operation = operationOf(outcome)
    const spans =
      operation === 'commit'
        ? [start(operation, settled, undefined)]
        : [...Map.groupBy(settled, ({ process }) => process)].map(([process, group]) =>
            start(operation, group, process),
          )
    return (error) => {
      const endMs = unixMs()
      for (const span of spans) {
        if (error !== null) recordFailure(span, error, endMs)
        span.end(endMs)
      }
    }
  }
}
