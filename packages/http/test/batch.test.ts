import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import {
  type CloudEvent,
  type EventHandler,
  headerText,
  type Message,
  PermanentError,
  UnavailableError,
} from '@throughline/core'
import { type HttpPublish, type HttpSubscriberOptions, http } from '@throughline/http'
import { eventually, withSpans } from '@throughline/testkit'
import { errorOf, httpServer, rawClient } from './support.ts'

const BATCH = 'application/cloudevents-batch+json'
const json = (id: string, more = '') => `{"specversion":"1.0","id":"${id}","source":"/s","type":"t"${more}}`
const inputs = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: String(i), type: 't', source: '/s' }))

/** A service at `/events`, and what its publisher's requests looked like. */
async function service(run: EventHandler, options: Partial<HttpSubscriberOptions> = {}) {
  const broker = http({ listen: '127.0.0.1:0' })
  await broker.subscribe({ path: '/events', ...options }, run)
  const url = `http://127.0.0.1:${broker.address()?.port}/events`
  const post = (body: string, contentType = BATCH, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', body, headers: { 'content-type': contentType, ...headers } })
  const publisher = (more: Partial<HttpPublish> = {}) => broker.publisher({ url, mode: 'batched', ...more })
  return { broker, url, post, publisher, [Symbol.asyncDispose]: () => broker.close({ graceMs: 0 }) }
}

/** A server that only looks at what comes. */
async function looking() {
  const requests: { contentType: string | undefined; events: CloudEvent[]; path: string | undefined }[] = []
  const server = await httpServer(async (request, response) => {
    const events: CloudEvent[] = JSON.parse((await buffer(request)).toString() || '[]')
    requests.push({ contentType: request.headers['content-type'], events, path: request.url })
    response.writeHead(204).end()
  })
  return Object.assign(server, { requests })
}

test('each event of a batch is handled by itself, and the answer follows the last', async () => {
  const held = new Map<string, () => void>()
  await using received = await service(({ id }) => new Promise<void>((resolve) => held.set(id, resolve)))
  let answered = false
  const answer = received.post(`[${json('a')},${json('b', ',"data":{"n":1.5}')}]`).then((response) => {
    answered = true
    return response
  })
  await eventually(() => assert.deepEqual([...held.keys()].sort(), ['a', 'b']))
  held.get('b')?.()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answered, false)
  held.get('a')?.()
  assert.equal((await answer).status, 204)
})

test('an empty batch is a success without an event, and makes no span', async () => {
  await withSpans(async (spans) => {
    await using received = await service(() => assert.fail('no event arrives'))
    for (const type of [BATCH, `${BATCH}; charset=utf-8`, 'Application/CloudEvents-Batch+JSON ;a="b,;"']) {
      assert.equal((await received.post(' [ ] ', type)).status, 204)
    }
    assert.deepEqual(spans.finished(), [])
  })
})

test('what is no batch, or too large a one, is refused as a whole', async () => {
  await using received = await service(() => {}, { maxBatchEvents: 2, maxBodyBytes: 1000 })
  const cases: [body: string, status: number, expected: object, type?: string][] = [
    ['{', 400, { code: 'TL_EVENT_INVALID', attribute: 'body' }],
    [json('1'), 400, { code: 'TL_EVENT_INVALID', attribute: 'body' }],
    [`[${json('1')},${json('2')},${json('3')}]`, 413, { code: 'TL_TOO_LARGE' }],
    [`["${'x'.repeat(1000)}"]`, 413, { code: 'TL_TOO_LARGE' }],
    ['[]', 415, { code: 'TL_CONTENT_TYPE_UNSUPPORTED' }, 'application/cloudevents-batch+avro'],
    ['[]', 415, { code: 'TL_CONTENT_TYPE_UNSUPPORTED' }, 'application/cloudevents-batch'],
  ]
  for (const [body, status, expected, type] of cases) {
    const response = await received.post(body, type)
    const problem: unknown = await response.json()
    assert.equal(response.status, status, JSON.stringify(problem))
    assert.partialDeepStrictEqual(problem, expected)
  }
})

test('the answer names the events that failed, and its status is never better than theirs', async () => {
  const outcomes: Record<string, Error> = {
    bad: new PermanentError('no such door'),
    later: new UnavailableError('later', { retryAfterMs: 7000 }),
    soon: new UnavailableError('soon', { retryAfterMs: 2000 }),
  }
  await using received = await service(({ id }) => {
    const error = outcomes[id]
    if (error !== undefined) throw error
  })
  const failure = (index: number, status: number, code: string) => ({ index, status, code })
  const cases: [string, number, string | null, object[]][] = [
    [`${json('ok')},${json('bad')}`, 422, null, [failure(1, 422, 'TL_PERMANENT')]],
    [`${json('')},${json('ok')}`, 400, null, [{ ...failure(0, 400, 'TL_EVENT_INVALID'), attribute: 'id' }]],
    ['7', 400, null, [{ ...failure(0, 400, 'TL_EVENT_INVALID'), attribute: 'body' }]],
    [
      `${json('')},${json('bad')}`,
      422,
      null,
      [failure(0, 400, 'TL_EVENT_INVALID'), failure(1, 422, 'TL_PERMANENT')],
    ],
    [
      `${json('soon')},${json('bad')},${json('ok')},${json('later')}`,
      503,
      '7',
      [failure(0, 503, 'TL_RELEASED'), failure(1, 422, 'TL_PERMANENT'), failure(3, 503, 'TL_RELEASED')],
    ],
  ]
  for (const [events, status, retryAfter, failures] of cases) {
    const response = await received.post(`[${events}]`)
    assert.deepEqual([response.status, response.headers.get('retry-after')], [status, retryAfter])
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem: unknown = await response.json()
    assert.partialDeepStrictEqual(problem, { failures })
    assert.ok(typeof problem === 'object' && problem !== null && 'failures' in problem)
    assert.equal(Array.isArray(problem.failures) && problem.failures.length, failures.length)
  }
})

test('events of a batch that are not settled in time are to come again, the others are done', async () => {
  await using received = await service(({ id }) => (id === 'slow' ? new Promise(() => {}) : undefined), {
    answerTimeoutMs: 300,
  })
  const response = await received.post(`[${json('slow')},${json('ok')}]`)
  assert.equal(response.status, 503)
  assert.partialDeepStrictEqual(await response.json(), {
    failures: [{ index: 0, status: 503, code: 'TL_ANSWER_TIMEOUT' }],
  })
})

test('a caller that goes away takes all events of its batch with it', async () => {
  const signals: AbortSignal[] = []
  await using received = await service((_, { signal }) => {
    signals.push(signal)
    return new Promise(() => {})
  })
  const client = rawClient(received.broker.address()?.port ?? 0)
  const body = `[${json('1')},${json('2')}]`
  client.send(
    `POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: ${BATCH}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  await eventually(() => assert.equal(signals.length, 2))
  client.socket.destroy()
  await eventually(() => assert.ok(signals.every(({ aborted }) => aborted)))
})

test('a raw subscription gets a batch as the one message it is', async () => {
  const broker = http({ listen: '127.0.0.1:0' })
  const messages: Message[] = []
  await broker.subscribe({ path: '/events', raw: true }, (message) => messages.push(message))
  const url = `http://127.0.0.1:${broker.address()?.port}/events`
  await fetch(url, { method: 'POST', body: '[1]', headers: { 'content-type': BATCH } })
  await broker.close()
  assert.deepEqual(
    messages.map(({ body, contentType }) => [Buffer.from(body ?? []).toString(), contentType]),
    [['[1]', BATCH]],
  )
})

test('events of one call share requests within the limits, and every other message goes alone', async () => {
  await using server = await looking()
  const broker = http()
  const publisher = broker.publisher({ url: server.url, mode: 'batched', maxBatchMessages: 3 })
  const results = await publisher.publishAll([
    ...inputs(4),
    { body: '[]', contentType: 'application/json' },
    ...inputs(1),
  ])
  await broker.close()
  assert.deepEqual(
    results,
    Array.from({ length: 6 }, () => ({ ok: true, statusCode: 204 })),
  )
  assert.deepEqual(
    server.requests
      .map(({ contentType, events }) => [contentType, events.map(({ id }) => id).join()])
      .toSorted(),
    [
      ['application/cloudevents-batch+json; charset=utf-8', '0'],
      ['application/cloudevents-batch+json; charset=utf-8', '0,1,2'],
      ['application/cloudevents-batch+json; charset=utf-8', '3'],
      ['application/json', ''],
    ],
  )
})

test('a batch has no more bytes than allowed; an event that is larger goes alone', async () => {
  await using server = await looking()
  const broker = http()
  const publisher = broker.publisher({ url: server.url, mode: 'batched', maxBatchBytes: 1000 })
  const sizes = [100, 100, 2000, 100, 100]
  await publisher.publishAll(
    sizes.map((size, i) => ({ id: String(i), type: 't', source: '/s', data: 'x'.repeat(size) })),
  )
  await broker.close()
  assert.deepEqual(server.requests.map(({ events }) => events.map(({ id }) => id).join()).toSorted(), [
    '0,1',
    '2',
    '3,4',
  ])
})

test('messages for other places, or with headers of their own, do not share a request', async () => {
  await using server = await looking()
  const broker = http()
  const publisher = broker.publisher({ url: `${server.url}/a`, mode: 'batched' })
  const event = { specversion: '1.0', id: '1', source: '/s', type: 't' } as const
  const encoded = broker.transport.binding.encode(event, { mode: 'structured' })
  await publisher.publishMessages([
    encoded,
    { ...encoded, headers: [['x-a', '1']] },
    { ...encoded, headers: [['X-A', '1']] },
    { ...encoded, headers: [['x-a', Uint8Array.of(0xff)]] },
    { ...encoded, destination: '/b' },
    // Not known to be an event: it could spoil a batch.
    { body: encoded.body, headers: [], ...(encoded.contentType && { contentType: encoded.contentType }) },
  ])
  await broker.close()
  assert.deepEqual(server.requests.map(({ path, events }) => `${path} ${events.length}`).toSorted(), [
    '/a 1',
    '/a 1',
    '/a 2',
    '/a undefined',
    '/b 1',
  ])
})

test('each message has its own result, and only what may be is sent again', async () => {
  const seen: string[] = []
  await using received = await service(({ id }) => {
    seen.push(id)
    if (id === '1') throw new PermanentError('no such door')
    if (id === '2' && seen.filter((each) => each === '2').length < 3)
      throw new UnavailableError('busy', { retryAfterMs: 1 })
  })
  const publisher = received.publisher({ retry: { attempts: 3, minMs: 1, maxMs: 1 } })
  const results = await publisher.publishAll(inputs(4))
  assert.deepEqual(
    results.map((result) => [result.ok, result.resends]),
    [
      [true, undefined],
      [false, undefined],
      [true, 2],
      [true, undefined],
    ],
  )
  assert.match(errorOf(results[1]).message, /answered 422: no such door$/)
  assert.deepEqual(seen.toSorted(), ['0', '1', '2', '2', '2', '3'])
})

test('a receiver that answers for the whole batch answers for each of it', async () => {
  for (const body of [
    '',
    '{"failures":[]}',
    '{"failures":[{"index":9,"status":400}]}',
    '{"failures":[{"index":0}]}',
    'null',
  ]) {
    await using server = await httpServer((_, response) => response.writeHead(400).end(body))
    const broker = http()
    const results = await broker.publisher({ url: server.url, mode: 'batched' }).publishAll(inputs(2))
    await broker.close()
    for (const result of results) assert.match(errorOf(result).message, /answered 400/)
  }
})

test('an event comes out of a batch as it went in', async () => {
  const events: CloudEvent[] = []
  await using received = await service((event) => events.push(event))
  const event = {
    specversion: '1.0',
    id: '1',
    source: '/sensors/ä',
    type: 'com.example.reading',
    time: '2026-01-01T00:00:00.123456789+05:30',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    datacontenttype: 'application/json',
    data: { text: '}],[{"hoptraceparent":"x"}', big: 9007199254740993n, none: null },
  } as const
  const bytes = { ...event, id: '2', datacontenttype: 'application/x', data: Uint8Array.of(0, 255) }
  await withSpans(async () => {
    await received.publisher().publishAll([event, bytes])
  })
  assert.deepEqual(
    events.toSorted((a, b) => a.id.localeCompare(b.id)),
    [event, bytes],
  )
})

test('five hundred messages of five hundred traces in one call: each is handled in its own', async () => {
  await withSpans(async (spans) => {
    const seen = new Map<string, string | undefined>()
    await using received = await service(({ id }, { context: handling, message }) => {
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
      await using received = await service(() => {})
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
      await using received = await service((event) => events.push(event))
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
      await using received = await service((event, { message }) => {
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
