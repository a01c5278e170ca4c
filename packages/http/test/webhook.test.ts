import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { type HttpSubscriberOptions, http, requestPermission } from '@throughline/http'
import type { Incoming } from '../src/incoming.ts'
import { webhook } from '../src/webhook.ts'
import { httpServer, problemCode, rawServer } from './support.ts'

const EVENT = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }

async function receiver(options: Partial<HttpSubscriberOptions> = {}) {
  const broker = http({ listen: '127.0.0.1:0' })
  let events = 0
  await broker.subscribe({ path: '/hook', ...options }, () => {
    events++
  })
  const url = `http://127.0.0.1:${broker.address()?.port}/hook`
  return {
    url,
    broker,
    events: () => events,
    ask: (headers: Record<string, string>) => fetch(url, { method: 'OPTIONS', headers }),
    post: () => fetch(url, { method: 'POST', headers: EVENT }),
    [Symbol.asyncDispose]: () => broker.close(),
  }
}

const granted = ({ headers }: Response) =>
  ['allow', 'webhook-allowed-origin', 'webhook-allowed-rate'].map((name) => headers.get(name))

test('without the option OPTIONS is a method like any other that is not taken', async () => {
  await using hook = await receiver()
  const response = await hook.ask({ 'webhook-request-origin': 'a.example' })
  assert.deepEqual([response.status, ...granted(response)], [405, 'POST', null, null])
})

test('permission is given to the origins that are named, at the rate that is allowed', async () => {
  await using hook = await receiver({ webhook: { origins: ['Events.Example.com'], requestsPerMinute: 120 } })
  const cases: [headers: Record<string, string>, status: number, ...(string | null)[]][] = [
    [{ 'WebHook-Request-Origin': 'events.example.com' }, 200, 'POST', 'events.example.com', '120'],
    [
      { 'WebHook-Request-Origin': 'events.example.com', 'WebHook-Request-Rate': '60' },
      200,
      'POST',
      'events.example.com',
      '60',
    ],
    [
      { 'WebHook-Request-Origin': 'events.example.com', 'WebHook-Request-Rate': '1000' },
      200,
      'POST',
      'events.example.com',
      '120',
    ],
    [
      { 'WebHook-Request-Origin': 'events.example.com', 'WebHook-Request-Rate': 'many' },
      200,
      'POST',
      'events.example.com',
      '120',
    ],
    [{ 'WebHook-Request-Origin': 'elsewhere.example' }, 403, null, null, null],
    [{}, 400, null, null, null],
  ]
  for (const [headers, status, ...expected] of cases) {
    const response = await hook.ask(headers)
    assert.deepEqual([response.status, ...granted(response)], [status, ...expected], JSON.stringify(headers))
  }
  assert.equal(hook.events(), 0)
})

test('an origin that is no ASCII is refused, also where lower case makes one of those named of it', async () => {
  await using hook = await receiver({ webhook: { origins: ['kafka.example.com'] } })
  // UTF-8 of the Kelvin sign, whose lower case is a k: echoed, it could not stand in a header.
  const response = await hook.ask({ 'webhook-request-origin': '\u00e2\u0084\u00aaafka.example.com' })
  assert.deepEqual([response.status, ...granted(response)], [403, null, null, null])
})

test('every origin may be let in, at any rate; a callback is never called', async () => {
  let called = 0
  await using callback = await httpServer((_, response) => {
    called++
    response.end()
  })
  await using hook = await receiver({ webhook: { origins: '*' }, methods: ['POST', 'PUT'] })
  const response = await hook.ask({
    'webhook-request-origin': 'a.example',
    'webhook-request-rate': '10',
    'webhook-request-callback': callback.url,
  })
  assert.deepEqual(granted(response), ['POST, PUT', '*', '*'])
  assert.equal((await hook.post()).status, 204)
  assert.equal(called, 0)
})

test('what comes faster than allowed is 429 and says when to come again; asking does not count', async () => {
  await using hook = await receiver({ webhook: { origins: '*', requestsPerMinute: 2 } })
  for (let i = 0; i < 5; i++) await hook.ask({ 'webhook-request-origin': 'a.example' })
  assert.deepEqual([(await hook.post()).status, (await hook.post()).status], [204, 204])
  const refused = await hook.post()
  assert.deepEqual([refused.status, await problemCode(refused)], [429, 'TL_RATE_EXCEEDED'])
  const retryAfter = Number(refused.headers.get('retry-after'))
  assert.ok(retryAfter > 50 && retryAfter <= 60, String(retryAfter))
  assert.equal(hook.events(), 2)
  const sent = hook.broker.publisher({ url: hook.url }).publish({ type: 't', source: '/s' })
  await assert.rejects(
    sent,
    (error) => error instanceof UnavailableError && (error.retryAfterMs ?? 0) > 50_000,
  )
})

test('the rate holds in every minute, wherever it begins', () => {
  let now = 1000
  const { admit } = webhook({ origins: '*', requestsPerMinute: 3 }, ['POST'], () => now)
  const statuses = [0, 0, 10_000, 20_000, 59_999, 60_000, 60_000, 60_000, 70_000, 119_999, 120_000].map(
    (at) => {
      now = 1000 + at
      const answer = admit()
      return answer === null ? 'in' : answer.headers['retry-after']
    },
  )
  assert.deepEqual(statuses, ['in', 'in', 'in', '40', '1', 'in', 'in', '10', 'in', '1', 'in'])
})

test('a limit that is no number of requests, and an empty token, are refused at once', async () => {
  const broker = http()
  const handle = (options: Partial<HttpSubscriberOptions>) =>
    broker.handler({ path: '/', ...options }, () => {})
  for (const requestsPerMinute of [0, -1, 1.5, Number.NaN, 1e9]) {
    await assert.rejects(handle({ webhook: { origins: '*', requestsPerMinute } }), PermanentError)
  }
  await assert.rejects(handle({ accessToken: '' }), PermanentError)
  await assert.rejects(handle({ accessToken: ['a', ''] }), PermanentError)
  await assert.rejects(handle({ accessToken: [] }), PermanentError)
})

test('the sender is told at which rate it may send', async () => {
  const asked: (string | undefined)[][] = []
  for (const [answer, rate, asking] of [
    [{ 'webhook-allowed-origin': 'A.example', 'webhook-allowed-rate': '100' }, 100, 120],
    [{ 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' }, null, 120],
    [{ 'webhook-allowed-origin': '*' }, 120, 120],
    [{ 'webhook-allowed-origin': '*' }, null, undefined],
    [{ 'webhook-allowed-origin': '*', 'webhook-allowed-rate': 'garbage' }, 120, 120],
  ] as const) {
    await using server = await httpServer((request, response) => {
      const names = [
        'webhook-request-origin',
        'webhook-request-rate',
        'webhook-request-callback',
        'authorization',
      ]
      asked.push([request.method, request.url, ...names.map((name) => request.headers[name]?.toString())])
      response.writeHead(200, answer).end()
    })
    const permission = await requestPermission(`http://u:p@127.0.0.1:${server.port}/hook?x=1#f`, {
      origin: 'a.example',
      callback: 'https://a.example/confirm',
      ...(asking === undefined ? {} : { requestsPerMinute: asking }),
    })
    assert.deepEqual(permission, { requestsPerMinute: rate })
  }
  const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`
  const first: (string | undefined)[] = [
    'OPTIONS',
    '/hook?x=1',
    'a.example',
    '120',
    'https://a.example/confirm',
    authorization,
  ]
  assert.deepEqual([asked[0], asked[3]], [first, first.with(3, undefined)])
})

test('headers of one’s own take the place of those that would be sent, in any spelling', async () => {
  const asked: (string | undefined)[] = []
  await using server = await httpServer((request, response) => {
    asked.push(request.headers.authorization, request.headers['user-agent'])
    response.writeHead(200, { 'webhook-allowed-origin': '*' }).end()
  })
  const url = `http://u:p@127.0.0.1:${server.port}/`
  await requestPermission(url, { origin: 'a', headers: { Authorization: 'Bearer x', 'User-Agent': 'me' } })
  assert.deepEqual(asked, ['Bearer x', 'me'])
})

test('what no header can hold is refused for good, unseen', async () => {
  for (const wrong of [
    { origin: 'a\r\nx: 1' },
    { callback: 'https://ü.example/€' },
    { headers: { x: 's3cret\n€' } },
  ]) {
    const asked = requestPermission('http://127.0.0.1:1/', { origin: 'a', ...wrong })
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof PermanentError && !(error instanceof UnavailableError))
      return error.code === 'TL_HEADER_INVALID' && !error.message.includes('s3cret')
    })
  }
})

test('an answer that is no consent is none, whatever its status, and says whether to ask again', async () => {
  for (const [status, headers, unavailable] of [
    [200, {}, false],
    [200, { 'webhook-allowed-origin': 'b.example' }, false],
    [204, { 'webhook-allowed-rate': '*' }, false],
    [302, { location: '/elsewhere' }, false],
    [405, {}, false],
    [429, {}, true],
    [503, {}, true],
  ] as const) {
    let requests = 0
    await using server = await httpServer((_, response) => {
      requests++
      response.writeHead(status, headers).end('text')
    })
    const asked = requestPermission(`http://u:s3cret@127.0.0.1:${server.port}/?t=s3cret`, {
      origin: 'a.example',
    })
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof (unavailable ? UnavailableError : PermanentError))
      assert.doesNotMatch(error.message, /s3cret/)
      return error.message.endsWith(`it answered ${status}`)
    })
    assert.equal(requests, 1)
  }
})

test('a receiver that cannot be asked is unavailable, in time', async () => {
  await using silent = await rawServer(() => {})
  const asked = requestPermission(silent.url, { origin: 'a.example', timeoutMs: 30 })
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof UnavailableError)
    return /no answer within 30 ms$/.test(error.message)
  })
  const stop = new AbortController()
  const aborted = requestPermission(silent.url, { origin: 'a.example', signal: stop.signal })
  stop.abort()
  await assert.rejects(aborted, UnavailableError)
  await assert.rejects(requestPermission('http://127.0.0.1:1/', { origin: 'a.example' }), UnavailableError)
  await assert.rejects(requestPermission('nowhere', { origin: 'a.example' }), PermanentError)
})

test('the two sides understand each other', async () => {
  await using hook = await receiver({
    webhook: { origins: ['a.example'], requestsPerMinute: 50 },
    accessToken: 'secret',
  })
  const { requestsPerMinute } = await requestPermission(hook.url, {
    origin: 'a.example',
    requestsPerMinute: 100,
  })
  assert.equal(requestsPerMinute, 50)
  const publisher = hook.broker.publisher({
    url: hook.url,
    headers: { 'webhook-request-origin': 'a.example', authorization: 'Bearer secret' },
  })
  assert.equal((await publisher.publish({ type: 't', source: '/s' })).statusCode, 204)
})

test('an origin that could split a header is not echoed', () => {
  const { handshake } = webhook({ origins: ['a.example'] }, ['POST'])
  const incoming = { header: () => 'a.example\r\nx: 1' } as unknown as Incoming
  assert.equal(handshake(incoming).status, 403)
})
