import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { type ConsumeOptions, createBroker, headerText, type Message } from '@throughline/core'
import { eventually, memoryTransport, withSpans } from '@throughline/testkit'
import { OMIT, process, reading, run, sent } from './support.ts'

describe('a context that is missing or broken', () => {
  const bare = (headers: Message['headers']): Message => {
    const { event: _, ...message } = memoryTransport().binding.encode(
      { ...reading, specversion: '1.0', id: '6f1c' },
      { mode: 'binary' },
    )
    return { ...message, headers: [...message.headers, ...headers] }
  }

  test('missing: the message is processed in a root span that says so', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), { message: bare([]) }, {})
      assert.deepEqual(spans.tree(OMIT), [
        {
          name: 'process readings',
          kind: 'CONSUMER',
          trace: 1,
          parent: null,
          attributes: process({
            'throughline.missing_context': true,
            'throughline.sent_at_source': 'broker',
          }),
        },
      ])
    }))

  const broken: [why: string, value: string][] = [
    ['a zero trace id', '00-00000000000000000000000000000000-00f067aa0ba902b7-01'],
    ['a zero span id', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01'],
    ['nonsense', 'nonsense'],
    ['100,000 characters, kept to 64', 'x'.repeat(100_000)],
  ]
  for (const [why, value] of broken) {
    test(`invalid (${why}): the same, with the value`, () =>
      withSpans(async (spans) => {
        await run(memoryTransport(), { message: bare([['traceparent', value]]) }, {})
        const [span] = spans.named('process readings')
        assert.equal(span?.parentSpanContext, undefined)
        assert.equal(span?.attributes['throughline.missing_context'], true)
        assert.equal(span?.attributes['throughline.invalid_context'], value.slice(0, 64))
      }))
  }

  test('two of them: neither is taken', () =>
    withSpans(async (spans) => {
      const one = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
      await run(
        memoryTransport(),
        {
          message: bare([
            ['traceparent', one],
            ['Traceparent', one],
          ]),
        },
        {},
      )
      const [span] = spans.named('process readings')
      assert.equal(span?.parentSpanContext, undefined)
      assert.equal(span?.attributes['throughline.invalid_context'], `${one},${one}`.slice(0, 64))
    }))

  test('bytes are read as text', () =>
    withSpans(async (spans) => {
      const value = new TextEncoder().encode('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
      await run(memoryTransport(), { message: bare([['TraceParent', value]]) }, {})
      assert.equal(spans.named('process readings')[0]?.parentSpanContext?.spanId, '00f067aa0ba902b7')
    }))
})

describe('linkage and trust', () => {
  const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
  const cases: [options: ConsumeOptions, sameTrace: boolean, links: number, baggage: string | undefined][] = [
    [{}, true, 1, 'a'],
    [{ linkage: 'link' }, false, 1, 'a'],
    [{ trust: 'link' }, false, 1, undefined],
    [{ trust: 'link', linkage: 'parent' }, false, 1, undefined],
    [{ trust: 'ignore' }, false, 0, undefined],
  ]
  for (const [options, sameTrace, links, tenant] of cases) {
    test(`${JSON.stringify(options)}: ${sameTrace ? 'one trace' : 'a new trace'}, ${links} link, baggage ${tenant}`, () =>
      withSpans(async (spans) => {
        const transport = memoryTransport()
        await using broker = createBroker(transport)
        await context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), () =>
          broker.publisher({ destination: 'readings' }).publish(reading),
        )
        let seen: string | undefined
        await broker.subscribe({ destinations: ['readings'], ...options }, () => {
          seen = propagation.getActiveBaggage()?.getEntry('tenant')?.value
        })
        await eventually(() => assert.equal(transport.unsettled(), 0))
        const [sender] = spans.named('send readings')
        const [receiver] = spans.named('process readings')
        assert.equal(receiver?.spanContext().traceId === sender?.spanContext().traceId, sameTrace)
        assert.equal(receiver?.links.length, links)
        assert.equal(seen, tenant)
      }))
  }

  test('an unsampled parent is carried on and nothing is exported', () =>
    withSpans(async () => {
      const transport = memoryTransport()
      const flags = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'
      await using broker = createBroker(transport)
      const next = broker.publisher({ destination: 'next' })
      const { event: _, ...message } = transport.binding.encode(
        { ...reading, specversion: '1.0', id: '1' },
        { mode: 'binary' },
      )
      await transport
        .publisher({ destination: 'readings' })
        .publish([{ ...message, headers: [...message.headers, ['traceparent', flags]] }])
      await broker.subscribe({ destinations: ['readings'] }, (event) => next.publish(event))
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const carried = headerText(transport.messages('next')[0]?.headers ?? [], 'traceparent')
      assert.match(carried ?? '', /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/)
    }))

  test('outbound: all, the trace without the baggage, or nothing', () =>
    withSpans(async () => {
      const names: string[][] = []
      for (const propagate of ['all', 'trace', 'none'] as const) {
        const transport = memoryTransport()
        await using broker = createBroker(transport)
        const publisher = broker.publisher({ destination: 'readings', propagate })
        await context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), () =>
          publisher.publish({ body: 'x', headers: { traceparent: 'old', baggage: 'old=1' } }),
        )
        names.push(sent(transport)[0]?.headers.map(([name]) => name) ?? [])
      }
      assert.deepEqual(names, [
        ['traceparent', 'baggage', 'throughline-sent-at'],
        ['traceparent', 'throughline-sent-at'],
        ['throughline-sent-at'],
      ])
    }))
})
