import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Message, PermanentError, UnavailableError } from '@throughline/core'
import { http } from '@throughline/http'
import { eventually, withSpans } from '@throughline/testkit'
import { BATCH, batchService, json } from './batch.ts'
import { rawClient } from './support.ts'

test('each event of a batch is handled by itself, and the answer follows the last', async () => {
  const held = new Map<string, () => void>()
  await using received = await batchService(({ id }) => new Promise<void>((resolve) => held.set(id, resolve)))
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
    await using received = await batchService(() => assert.fail('no event arrives'))
    for (const type of [BATCH, `${BATCH}; charset=utf-8`, 'Application/CloudEvents-Batch+JSON ;a="b,;"']) {
      assert.equal((await received.post(' [ ] ', type)).status, 204)
    }
    assert.deepEqual(spans.finished(), [])
  })
})

test('what is no batch, or too large a one, is refused as a whole', async () => {
  await using received = await batchService(() => {}, { maxBatchEvents: 2, maxBodyBytes: 1000 })
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
  await using received = await batchService(({ id }) => {
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
  await using received = await batchService(({ id }) => (id === 'slow' ? new Promise(() => {}) : undefined), {
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
  await using received = await batchService((_, { signal }) => {
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
