import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { type CloudEvent, headerText, type Message } from '@throughline/core'
import { http } from '@throughline/http'
import { withSpans } from '@throughline/testkit'
import { BATCH, batchService, inputs, json } from './batch.ts'
import { httpServer } from './support.ts'

test('five hundred messages of five hundred traces in one call: each is handled in its own', async () => {
  await withSpans(async (spans) => {
    const seen = new Map<string, string | undefined>()
    await using received = await batchService(({ id }, { context: handling, message }) => {
      seen.set(id, propagation.getBaggage(handling)?.getEntry('tenant')?.value)
      assert.equal(message.headers.filter(([name]) => name === 'traceparent').length, 1)
    })
    const tracer = trace.getTracer('test')
    const callers = inputs(500).map(() => tracer.startSpan('caller', {}, ROOT_CONTEXT))
    const messages = inputs(500).map((input, i): Message => {
      const baggage = propagation.createBaggage({ tenant: { value: `tenant ${i}` } })
      const encoded = received.broker.transport.binding.encode(
        { specversion: '1.0', ...input },
        { mode: 'structured' },
      )
      const span = callers[i] ?? assert.fail()
      return { ...encoded, context: propagation.setBaggage(trace.setSpan(ROOT_CONTEXT, span), baggage) }
    })
    const results = await received.publisher().publishMessages(messages)
    for (const caller of callers) caller.end()
    assert.ok(results.every(({ ok }) => ok))
    const traceOf = new Map(
      spans.named('process /events').map((span) => [span.attributes['cloudevents.event_id'], span]),
    )
    const created = new Map(
      spans.named('create /events').map((span) => [span.attributes['cloudevents.event_id'], span]),
    )
    for (const [i, caller] of callers.entries()) {
      const process = traceOf.get(String(i))
      assert.equal(process?.spanContext().traceId, caller.spanContext().traceId)
      assert.equal(process?.parentSpanContext?.spanId, created.get(String(i))?.spanContext().spanId)
      assert.equal(seen.get(String(i)), `tenant ${i}`)
    }
  })
})

test('a batch is create spans, one send span that links to them, and a process span under each create', async () => {
  await withSpans(async (spans) => {
    {
      await using received = await batchService(() => {})
      await received.publisher().publishAll(inputs(2))
    }
    const create = (id: string, trace: number) => ({
      name: 'create /events',
      kind: 'PRODUCER',
      trace,
      parent: null,
      children: [
        {
          name: 'process /events',
          kind: 'CONSUMER',
          trace,
          parent: id === '0' ? 'create /events' : 'create /events#2',
          links: [{ to: id === '0' ? 'create /events' : 'create /events#2' }],
        },
      ],
    })
    const omit = [...new Set(spans.finished().flatMap(({ attributes }) => Object.keys(attributes)))]
    assert.deepEqual(spans.tree({ omit }), [
      create('0', 1),
      create('1', 2),
      {
        name: 'send /events',
        kind: 'CLIENT',
        trace: 3,
        parent: null,
        links: [{ to: 'create /events' }, { to: 'create /events#2' }],
      },
    ])
  })
})

test('the request itself carries the send span’s context, for a server that knows nothing of batches', async () => {
  await withSpans(async (spans) => {
    let traceparent: string | undefined
    let members: CloudEvent[] = []
    await using server = await httpServer(async (request, response) => {
      traceparent = request.headers.traceparent?.toString()
      members = JSON.parse((await buffer(request)).toString())
      response.writeHead(204).end()
    })
    const broker = http()
    await broker.publisher({ url: server.url, mode: 'batched' }).publishAll(inputs(2))
    const [send] = spans.named('send /')
    const { traceId, spanId } = send?.spanContext() ?? assert.fail()
    assert.equal(traceparent, `00-${traceId}-${spanId}-01`)
    const created = spans
      .named('create /')
      .map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`)
    assert.deepEqual(
      members.map(({ hoptraceparent }) => hoptraceparent),
      created,
    )

    await broker.publisher({ url: server.url, mode: 'batched', propagate: 'none' }).publishAll(inputs(2))
    await broker.close()
    assert.deepEqual([traceparent, 'hoptraceparent' in (members[0] ?? {})], [undefined, false])
  })
})

test('a batch of somebody else’s: its request’s context is that of all, an event’s own extension is its origin', async () => {
  await withSpans(async (spans) => {
    const hop = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const origin = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const events: CloudEvent[] = []
    {
      await using received = await batchService((event) => events.push(event))
      const body = `[${json('1', `,"traceparent":"${origin}"`)},${json('2')}]`
      await received.post(body, BATCH, { traceparent: hop })
    }
    const [first, second] = spans.named('process /events')
    for (const span of [first, second]) assert.equal(span?.parentSpanContext?.spanId, 'b7ad6b7169203331')
    assert.deepEqual(
      first?.links.map(({ context: { spanId } }) => spanId),
      ['b7ad6b7169203331', '00f067aa0ba902b7'],
    )
    assert.equal(second?.links.length, 1)
    assert.equal(events.find(({ id }) => id === '1')?.traceparent, origin)
  })
})

test('hop contexts are taken out however a middleman has written the JSON, and bad ones are marked', async () => {
  await withSpans(async (spans) => {
    const events: CloudEvent[] = []
    {
      await using received = await batchService((event, { message }) => {
        events.push(event)
        assert.equal(headerText(message.headers, 'tracestate'), event.id === '1' ? 'a=1' : null)
      })
      const hop = '"hoptraceparent" : "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"'
      const body = [
        `{ ${hop}, "hoptracestate": "a=1", "specversion":"1.0","id":"1","source":"/s","type":"t" }`,
        json('2', ',"hoptraceparent":"garbage"'),
        json('3', ',"hoptraceparent":7'),
      ]
      assert.equal((await received.post(`[${body.join(',')}]`)).status, 204)
    }
    const byId = new Map(spans.finished().map((span) => [span.attributes['cloudevents.event_id'], span]))
    assert.equal(byId.get('1')?.parentSpanContext?.spanId, 'b7ad6b7169203331')
    assert.equal(byId.get('2')?.attributes['throughline.invalid_context'], 'garbage')
    assert.equal(byId.get('3')?.attributes['throughline.missing_context'], true)
    assert.ok(events.every((event) => event.id === '3' || !('hoptraceparent' in event)))
  })
  assert.equal(trace.getSpan(context.active()), undefined)
})
