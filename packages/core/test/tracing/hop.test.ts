import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { createBroker, headerText, type Message, UnavailableError } from '@throughline/core'
import { eventually, memoryTransport, withSpans } from '@throughline/testkit'
import { OMIT, process, reading, run, send, sent } from './support.ts'

describe('one hop', () => {
  test('is a send span and under it a process span that also links to it', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), {}, {})
      assert.deepEqual(spans.tree(OMIT), [
        {
          name: 'send readings',
          kind: 'PRODUCER',
          trace: 1,
          parent: null,
          attributes: send(),
          children: [
            {
              name: 'process readings',
              kind: 'CONSUMER',
              trace: 1,
              parent: 'send readings',
              links: [{ to: 'send readings' }],
              attributes: process(),
            },
          ],
        },
      ])
    }))

  test('carries the context of the send span, and when it began, in exactly one header each', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const stale: Message['headers'] = [
        ['Traceparent', '00-11111111111111111111111111111111-2222222222222222-01'],
        ['traceparent', '00-33333333333333333333333333333333-4444444444444444-01'],
        ['tracestate', 'old=1'],
        ['throughline-sent-at', '1'],
        ['tenant', 'a'],
      ]
      const original = structuredClone(stale)
      await broker.publisher({ destination: 'readings' }).publish({ body: 'x', headers: stale })
      const headers = sent(transport)[0]?.headers ?? []
      const { traceId, spanId } = spans.named('send readings')[0]?.spanContext() ?? {}
      assert.deepEqual(
        headers.filter(([name]) => name !== 'throughline-sent-at'),
        [
          ['tenant', 'a'],
          ['traceparent', `00-${traceId}-${spanId}-01`],
        ],
      )
      const sentAt = Number(headerText(headers, 'throughline-sent-at'))
      assert.ok(Math.abs(sentAt / 1000 - Date.now()) < 60_000, 'Unix microseconds')
      assert.deepEqual(stale, original, "the caller's headers are left as they were")
    }))

  test('nests under the active span, and under the context given for the message before that', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const publisher = broker.publisher({ destination: 'readings' })
      const tracer = trace.getTracer('test')
      const other = tracer.startSpan('other')
      await tracer.startActiveSpan('active', async (active) => {
        await publisher.publish(reading)
        await publisher.publish(reading, { context: trace.setSpan(ROOT_CONTEXT, other) })
        active.end()
      })
      other.end()
      assert.deepEqual(
        spans.named('send readings').map((span) => span.parentSpanContext?.spanId),
        ['active', 'other'].map((name) => spans.named(name)[0]?.spanContext().spanId),
      )
    }))

  test('is named by the template where destinations differ by message', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const template = 'sensors/{id}/reading'
      await run(transport, { template }, { template })
      const names = spans
        .finished()
        .map(({ name, attributes }) => [name, attributes['messaging.destination.template']])
      assert.deepEqual(names, [
        ['send sensors/{id}/reading', template],
        ['process sensors/{id}/reading', template],
      ])
    }))

  test('a refused send ends its span as an error that says why', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      transport.failNext(1, new UnavailableError('the broker is away'))
      await using broker = createBroker(transport)
      await assert.rejects(broker.publisher({ destination: 'readings' }).publish(reading), {
        code: 'TL_UNAVAILABLE',
      })
      assert.deepEqual(spans.tree(OMIT), [
        {
          name: 'send readings',
          kind: 'PRODUCER',
          trace: 1,
          parent: null,
          attributes: send('readings', { 'error.type': 'TL_UNAVAILABLE' }),
          status: { code: 'ERROR', message: 'the broker is away' },
          events: [
            {
              name: 'exception',
              attributes: { 'exception.message': 'the broker is away', 'exception.type': 'TL_UNAVAILABLE' },
            },
          ],
        },
      ])
    }))

  test('500 messages of 500 traces in one call stay each in their own trace', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const tracer = trace.getTracer('test')
      const messages = Array.from({ length: 500 }, (_, index) => {
        const root = tracer.startSpan(`root ${index}`)
        root.end()
        const event = { ...reading, id: `event-${index}`, specversion: '1.0' as const }
        return {
          ...transport.binding.encode(event, { mode: 'binary' }),
          context: trace.setSpan(ROOT_CONTEXT, root),
        }
      })
      const results = await broker.publisher({ destination: 'readings' }).publishMessages(messages)
      assert.ok(results.every(({ ok }) => ok))
      await broker.subscribe({ destinations: ['readings'] }, (event, { span }) => {
        const active = trace.getActiveSpan()?.spanContext()
        assert.equal(active?.spanId, span.spanContext().spanId)
        trace.getTracer('test').startSpan(`handled ${event.id}`).end()
      })
      await eventually(() => assert.equal(transport.unsettled(), 0))
      for (let index = 0; index < 500; index++) {
        const [root] = spans.named(`root ${index}`)
        const [handled] = spans.named(`handled event-${index}`)
        assert.equal(handled?.spanContext().traceId, root?.spanContext().traceId)
      }
    }))
})

describe('the origin extension', () => {
  test('is the context of the send that created the event, in binary and structured mode', () =>
    withSpans(async (spans) => {
      for (const mode of ['binary', 'structured'] as const) {
        spans.reset()
        const transport = memoryTransport()
        await run(transport, { origin: true, mode }, {})
        const { traceId, spanId } = spans.named('send readings')[0]?.spanContext() ?? {}
        const message = sent(transport)[0]
        assert.ok(message)
        assert.equal(transport.binding.decode(message).traceparent, `00-${traceId}-${spanId}-01`)
        const [processed] = spans.named('process readings')
        assert.equal(processed?.links.length, 1, 'origin and hop are the same span: one link')
      }
    }))

  test('keeps the content mode of an event that is not published in its publisher’s', () =>
    withSpans(async () => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      await broker
        .publisher({ destination: 'readings', origin: true })
        .publish(reading, { mode: 'structured' })
      const message = sent(transport)[0]
      assert.ok(message)
      assert.match(message.contentType ?? '', /^application\/cloudevents\+json/)
      assert.equal(typeof transport.binding.decode(message).traceparent, 'string')
    }))

  test('is never overwritten, and linked where it differs from the hop context', () =>
    withSpans(async (spans) => {
      const origin = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
      const transport = memoryTransport()
      await run(transport, { origin: true, input: { ...reading, traceparent: origin } }, {})
      const [message] = sent(transport)
      assert.ok(message)
      assert.equal(transport.binding.decode(message).traceparent, origin)
      assert.deepEqual(spans.tree(OMIT)[0]?.children?.[0]?.links, [
        { to: 'send readings' },
        { to: '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7', attributes: { origin: true } },
      ])
    }))
})
