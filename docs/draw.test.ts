import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, SpanKind, trace } from '@opentelemetry/api'
import { withSpans } from '@throughline/testkit'
import { drawSpans } from './draw.ts'

const tracer = trace.getTracer('docs')
const at = { root: true, startTime: 0 }

describe('a picture of spans', () => {
  test('has a tree a trace, numbers for links, what tells spans apart, and errors', () =>
    withSpans((spans) => {
      const send = tracer.startSpan('send', { ...at, kind: SpanKind.PRODUCER })
      const under = trace.setSpan(context.active(), send)
      const links = [
        { context: send.spanContext(), attributes: { retry: true, 'messaging.message.id': '1' } },
      ]
      for (const group of ['a', 'b']) {
        const attributes = {
          'messaging.consumer.group.name': group,
          'throughline.attempt': 2,
          'server.port': 1,
        }
        tracer.startSpan('process', { kind: SpanKind.CONSUMER, links, attributes }, under).end()
      }
      send.end()
      const other = tracer.startSpan('other', at)
      other.setStatus({ code: 2 }).end()
      assert.equal(
        drawSpans(spans.finished()),
        [
          'send (1)    PRODUCER',
          '├─ process  CONSUMER  → 1 retry=true  throughline.attempt=2  messaging.consumer.group.name=a',
          '└─ process  CONSUMER  → 1 retry=true  throughline.attempt=2  messaging.consumer.group.name=b',
          '',
          'other       INTERNAL  status ERROR',
        ].join('\n'),
      )
    }))

  test('draws many of one shape once, and counts many links', () =>
    withSpans((spans) => {
      const sends = Array.from({ length: 6 }, () => tracer.startSpan('send', at))
      for (const send of sends) send.end()
      const links = sends.map((send) => ({ context: send.spanContext() }))
      tracer.startSpan('process', { ...at, links }).end()
      assert.equal(
        drawSpans(spans.finished()),
        'send                  INTERNAL\n… and 5 more like it\n\nprocess               INTERNAL  → 6 × send',
      )
    }))

  test('of a trace with two roots is refused: it would be read as two traces', () =>
    withSpans((spans) => {
      const elsewhere = {
        traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
        spanId: '00f067aa0ba902b7',
        traceFlags: 1,
      }
      const parent = trace.setSpanContext(context.active(), elsewhere)
      for (const name of ['a', 'b']) tracer.startSpan(name, {}, parent).end()
      assert.throws(() => drawSpans(spans.finished()), /two roots/)
    }))
})
