import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import type { Connect } from './link.ts'
import { idOf } from './link.ts'

/**
 * What OpenTelemetry's SDK itself takes for a message, whoever calls it: two spans of ten attributes, one inject, one
 * extract, and the export. Nothing is carried anywhere.
 */
export const floor: Connect = async (_place, onMessage) => {
  const tracer = trace.getTracer('bench')
  const attributesOf = (operation: string, number: number) => ({
    'messaging.system': 'kafka',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': 'readings',
    'messaging.message.id': idOf(number),
    'server.address': 'localhost',
    'server.port': 9092,
    'cloudevents.event_id': idOf(number),
    'cloudevents.event_source': '/bench',
    'cloudevents.event_type': 'com.example.sensor.reading',
  })
  return {
    async publish(numbers) {
      for (const number of numbers) {
        const send = tracer.startSpan('send readings', {
          kind: SpanKind.PRODUCER,
          attributes: attributesOf('send', number),
        })
        const carrier: Record<string, string> = {}
        propagation.inject(trace.setSpan(ROOT_CONTEXT, send), carrier, defaultTextMapSetter)
        send.end()
        const parent = propagation.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter)
        const process = tracer.startSpan(
          'process readings',
          { kind: SpanKind.CONSUMER, attributes: attributesOf('process', number) },
          parent,
        )
        onMessage(idOf(number))
        process.end()
      }
    },
    close: async () => {},
  }
}
