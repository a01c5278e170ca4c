import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import {
  type ConsumeOptions,
  createBroker,
  type EventHandler,
  type EventInput,
  headerText,
  type Message,
  PermanentError,
  type PublishTelemetry,
  UnavailableError,
} from '@throughline/core'
import { eventually, type MemoryTransport, memoryTransport, withSpans } from '@throughline/testkit'

const reading: EventInput = {
  id: '6f1c',
  type: 'com.example.sensor.reading',
  source: '/stations/1',
  subject: 'sensor-001',
  data: { celsius: 21.5 },
}
const EVENT_ATTRIBUTES = {
  'cloudevents.event_id': '6f1c',
  'cloudevents.event_source': '/stations/1',
  'cloudevents.event_spec_version': '1.0',
  'cloudevents.event_subject': 'sensor-001',
  'cloudevents.event_type': 'com.example.sensor.reading',
}
const OMIT = { omit: ['throughline.sent_at', 'memory.offset'] }
const FAST = { minMs: 1, maxMs: 2 }

const process = (attributes: object = {}) => ({
  ...EVENT_ATTRIBUTES,
  'messaging.consumer.group.name': 'default',
  'messaging.destination.name': 'readings',
  'messaging.message.id': '6f1c',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'messaging.system': 'memory',
  'throughline.outcome': 'accept',
  'throughline.sent_at_source': 'header',
  ...attributes,
})
const send = (destination = 'readings', attributes: object = {}) => ({
  ...EVENT_ATTRIBUTES,
  'messaging.destination.name': destination,
  'messaging.message.id': '6f1c',
  'messaging.operation.name': 'send',
  'messaging.operation.type': 'send',
  'messaging.system': 'memory',
  ...attributes,
})

/** One publisher and one subscription on `readings`; resolves when everything is settled. */
async function run(
  transport: MemoryTransport,
  publish: PublishTelemetry & { input?: EventInput; message?: Message },
  consume: ConsumeOptions,
  handler: EventHandler = () => undefined,
): Promise<void> {
  const { input = reading, message, ...telemetry } = publish
  await using broker = createBroker(transport)
  const publisher = broker.publisher({ destination: 'readings', ...telemetry })
  if (message === undefined) await publisher.publish(input)
  else await transport.publisher({ destination: 'readings' }).publish([message])
  await broker.subscribe({ destinations: ['readings'], ...consume }, handler)
  await eventually(() => assert.equal(transport.unsettled(), 0))
}

/** What the handlers of one test published, over a second destination. */
const sent = (transport: MemoryTransport, destination = 'readings') => transport.messages(destination)

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

describe('attempts', () => {
  test('are one span each with the same parent, the later ones linked to the one before', () =>
    withSpans(async (spans) => {
      let calls = 0
      await run(memoryTransport(), {}, { retry: FAST }, () => {
        if (++calls < 3) throw new TypeError(`failure ${calls}`)
      })
      const failed = (call: number) => ({
        status: { code: 'ERROR', message: `failure ${call}` },
        events: [
          {
            name: 'exception',
            attributes: { 'exception.type': 'TypeError', 'exception.message': `failure ${call}` },
          },
        ],
      })
      const attempt = { kind: 'CONSUMER', name: 'process readings', trace: 1, parent: 'send readings' }
      const retry = (to: string) => [{ to: 'send readings' }, { to, attributes: { retry: true } }]
      const error = { 'error.type': 'TypeError', 'throughline.outcome': 'release' }
      assert.deepEqual(spans.tree(OMIT)[0]?.children, [
        { ...attempt, links: [{ to: 'send readings' }], attributes: process(error), ...failed(1) },
        {
          ...attempt,
          links: retry('process readings'),
          attributes: process({ ...error, 'throughline.attempt': 2 }),
          ...failed(2),
        },
        { ...attempt, links: retry('process readings#2'), attributes: process({ 'throughline.attempt': 3 }) },
      ])
    }))

  test('that are spent end in a dead letter under the last one, linked back, with reason, route, count and position', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      await using dead = createBroker(transport)
      const deadLetter = { publisher: dead.publisher({ destination: 'dead' }), route: 'alerts' }
      await run(transport, {}, { retry: { ...FAST, attempts: 2 }, deadLetter }, () => {
        throw new Error('no\nway')
      })
      const [, last] = spans.tree(OMIT)[0]?.children ?? []
      assert.equal(last?.attributes?.['throughline.outcome'], 'reject')
      assert.deepEqual(last?.children, [
        {
          name: 'send dead',
          kind: 'PRODUCER',
          trace: 1,
          parent: 'process readings#2',
          links: [{ to: 'process readings#2', attributes: { dead_letter: true } }],
          attributes: send('dead', {
            'throughline.dead_letter': true,
            'throughline.dead_letter.reason': 'Error',
          }),
        },
      ])
      const [letter] = transport.messages('dead')
      assert.ok(letter)
      const facts = letter.headers.filter(([name]) => name.startsWith('throughline-dead-letter'))
      assert.deepEqual(Object.fromEntries(facts), {
        'throughline-dead-letter-reason': 'no way',
        'throughline-dead-letter-code': 'Error',
        'throughline-dead-letter-attempts': '2',
        'throughline-dead-letter-source': 'readings@0',
        'throughline-dead-letter-route': 'alerts',
      })
      assert.equal(transport.binding.decode(letter).id, '6f1c', 'the event itself is as it came')
      assert.equal(letter.headers.filter(([name]) => name === 'traceparent').length, 1)
    }))

  test('a message that is no event is an error on its span', () =>
    withSpans(async (spans) => {
      const transport = memoryTransport()
      const message: Message = {
        body: new TextEncoder().encode('{'),
        headers: [],
        contentType: 'application/cloudevents+json',
      }
      await run(transport, { message }, { onExhausted: 'drop' })
      const [span] = spans.named('process readings')
      assert.equal(span?.attributes['error.type'], 'TL_EVENT_INVALID')
      assert.match(span?.status.message ?? '', /^body: is not valid JSON/)
      assert.equal(transport.rejections().length, 1)
    }))

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

  test('a permanent error is not tried again', () =>
    withSpans(async (spans) => {
      await run(memoryTransport(), {}, { onExhausted: 'drop' }, () => {
        throw new PermanentError('never')
      })
      assert.equal(spans.named('process readings').length, 1)
    }))
})
