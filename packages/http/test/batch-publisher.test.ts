import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { type CloudEvent, PermanentError, UnavailableError } from '@throughline/core'
import { http } from '@throughline/http'
import { withSpans } from '@throughline/testkit'
import { batchService, inputs } from './batch.ts'
import { errorOf, httpServer } from './support.ts'

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
  await using received = await batchService(({ id }) => {
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
  await using received = await batchService((event) => events.push(event))
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
