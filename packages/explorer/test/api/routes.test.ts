import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Explorer } from '@throughline/explorer'
import { eventually } from '@throughline/testkit'
import type { z } from 'zod'
import { answerOf, explorerStatus, journeyAnswer, listAnswer, problemAnswer } from '../answer.ts'
import { message, requestJson, type SpanSpec } from '../otlp-json.ts'
import { needsShared } from '../shared-data.ts'
import { sendShared, temporaryExplorer, temporaryFolder } from '../temporary.ts'

const headers = { 'content-type': 'application/json' }

async function send(explorer: Explorer, ...spans: SpanSpec[]): Promise<void> {
  const body = JSON.stringify(requestJson(spans))
  assert.equal((await fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body })).status, 200)
}

/** All pages of the list. */
async function listed(explorer: Explorer, limit: number): Promise<z.infer<typeof listAnswer>['journeys']> {
  const journeys: z.infer<typeof listAnswer>['journeys'] = []
  for (let next: string | null = ''; next !== null; ) {
    const path: string = `/api/journeys?limit=${limit}${next && `&before=${next}`}`
    const page: z.infer<typeof listAnswer> = await answerOf(fetch(explorer.url + path), listAnswer)
    journeys.push(...page.journeys)
    next = page.next
  }
  return journeys
}

describe('the list of journeys', needsShared, () => {
  test('has each journey once, newest first, page by page', async (context) => {
    const explorer = await temporaryExplorer(context)
    await sendShared(explorer, 'golden/otlp.json')
    const ids = (await listed(explorer, 2)).map(({ id }) => id.slice(0, 4))
    // The batch and the replay are parts of the orders' journeys and have no rows of their own.
    assert.deepEqual(ids, ['old-', 'f5f7', 'e4f7', 'c2f7', 'b1f7', '0af7', 'e-1'])
  })

  test('says of each what a row shows', async (context) => {
    const explorer = await temporaryExplorer(context)
    await sendShared(explorer, 'golden/otlp.json')
    const journeys = await listed(explorer, 50)
    assert.deepEqual(journeys.at(-1), {
      id: 'e-1',
      event: {
        id: 'e-1',
        source: '/sensors/temperature',
        type: 'com.example.sensor.reading',
        subject: 'sensor-001',
      },
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      startUnixNanos: '1795251847000000000',
      durationMs: 8.3,
      services: ['station', 'webhook', 'forwarder', 'device', 'echo'],
      transports: ['http', 'kafka', 'mqtt', 'http'],
      spanCount: 8,
      errorCount: 0,
      findingCount: 0,
    })
  })
})

test('a search finds journeys by every kind of id and by text', needsShared, async (context) => {
  const explorer = await temporaryExplorer(context)
  await sendShared(explorer, 'golden/otlp.json')
  const search = async (q: string) =>
    (await answerOf(fetch(`${explorer.url}/api/search?q=${encodeURIComponent(q)}`), listAnswer)).journeys.map(
      ({ id }) => id.slice(0, 4),
    )
  for (const q of [
    'e-1',
    '4bf92f3577b34da6a3ce929d0e0e4736',
    '1000000000000007',
    'sensor-001',
    'com.example.sensor.reading',
    'forwarder',
    'sensor-readings[2]@17',
    'messaging.mqtt.qos=1',
    'url.full=http://127.0.0.1:9999/echo',
    '127.0.0.1:9999',
    'SENSORS/TEMPERATURE',
  ])
    assert.deepEqual(await search(q), ['e-1'], q)
  assert.deepEqual(await search('4711'), ['b1f7'])
  assert.deepEqual(await search('order.id=4710'), ['0af7'])
  assert.deepEqual(await search('gateway timed out'), ['0af7'])
  assert.deepEqual((await search('orders')).sort(), ['0af7', 'b1f7', 'c2f7'])
  assert.deepEqual(await search('2000000000000060'), ['b1f7'], 'the replay, as a part of its order')
  assert.deepEqual(await search('no such thing'), [])
})

test('a journey is found by subject, position and attribute too', needsShared, async (context) => {
  const explorer = await temporaryExplorer(context)
  await sendShared(explorer, 'golden/otlp.json')
  for (const id of [
    'sensor-001',
    'sensor-readings[2]@17',
    '1000000000000001',
    '4BF92F3577B34DA6A3CE929D0E0E4736',
  ])
    assert.equal(
      (await answerOf(fetch(`${explorer.url}/api/journeys/${encodeURIComponent(id)}`), journeyAnswer)).id,
      'e-1',
      id,
    )
})

test('of one id under two sources the source chooses', async (context) => {
  const explorer = await temporaryExplorer(context)
  const event = (trace: string, source: string) =>
    message('send', 'kafka', 't', {
      trace,
      id: '1',
      event: 'x/y z',
      attributes: { 'cloudevents.event_source': source },
    })
  await send(explorer, event('1', '/a'), event('2', '/b'))
  const traceOf = async (query: string) =>
    (await answerOf(fetch(`${explorer.url}/api/journeys/x%2Fy%20z${query}`), journeyAnswer)).traceIds.map(
      (id) => id.slice(-1),
    )
  assert.deepEqual(await traceOf('?source=/a'), ['1'])
  assert.deepEqual(await traceOf('?source=/b'), ['2'])
  assert.deepEqual(await traceOf(''), ['2'])
})

test('every refusal is a problem with a code', async (context) => {
  const explorer = await temporaryExplorer(context)
  const cases: [string, number, string][] = [
    ['/api/journeys/unknown', 404, 'TL_JOURNEY_NOT_FOUND'],
    ['/api/nothing', 404, 'TL_NOT_FOUND'],
    ['/api/search', 400, 'TL_BAD_QUERY'],
    [`/api/search?q=${'x'.repeat(600)}`, 400, 'TL_BAD_QUERY'],
    ['/api/journeys?limit=0', 400, 'TL_BAD_QUERY'],
    ['/api/journeys?limit=100000', 400, 'TL_BAD_QUERY'],
    ['/api/journeys?limit=x', 400, 'TL_BAD_QUERY'],
    ['/api/journeys/%E0%A4%A', 400, 'TL_BAD_REQUEST'],
  ]
  for (const [path, status, code] of cases) {
    const answer = await fetch(explorer.url + path)
    assert.equal(answer.status, status, path)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal((await answerOf(answer, problemAnswer)).code, code)
  }
  const post = await fetch(`${explorer.url}/api/journeys`, { method: 'POST' })
  assert.equal(post.status, 404)
})

test('only hosts of this machine are answered, with headers that keep other pages out', async (context) => {
  const explorer = await temporaryExplorer(context)
  const { port } = new URL(explorer.url)
  const statusFor = async (host: string) => {
    const [answer] = await once(
      request({ port, host: '127.0.0.1', path: '/api/status', headers: { host } }).end(),
      'response',
    )
    answer.resume()
    return answer.statusCode
  }
  assert.equal(await statusFor(`localhost:${port}`), 200)
  assert.equal(await statusFor(`[::1]:${port}`), 200)
  for (const host of [
    'evil.example',
    `127.0.0.1.evil.example:${port}`,
    'localhost@evil.example',
    '127.0.0.1:80:80',
  ])
    assert.equal(await statusFor(host), 421, host)
  const answer = await fetch(`${explorer.url}/api/status`, { headers: { origin: 'https://evil.example' } })
  assert.equal(answer.headers.get('access-control-allow-origin'), null)
  assert.match(answer.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self'/)
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.equal((await answerOf(answer, explorerStatus)).otlpHttp, explorer.otlpUrl)
})

describe('the live stream', () => {
  test('tells of a journey when its spans arrive, and again when more do', async (context) => {
    const explorer = await temporaryExplorer(context)
    const abort = new AbortController()
    context.after(() => abort.abort())
    const stream = await fetch(`${explorer.url}/api/journeys/stream`, { signal: abort.signal })
    assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    assert.ok(stream.body)
    let text = ''
    const reading = (async (body) => {
      for await (const chunk of body) text += Buffer.from(chunk).toString()
    })(stream.body).catch(() => {})
    await eventually(() => assert.match(text, /^retry: \d+\n\n/))
    const told = () =>
      [...text.matchAll(/event: journey\ndata: (.*)\n\n/g)].map(([, data]) => JSON.parse(data ?? ''))
    await send(
      explorer,
      message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1', event: 'live' }),
    )
    await eventually(() =>
      assert.deepEqual(
        told().map(({ id, spanCount }) => [id, spanCount]),
        [['live', 1]],
      ),
    )
    // Of the second one only the link says that it belongs to the first.
    await send(explorer, {
      service: 'pay',
      trace: '2',
      id: '2',
      kind: 'CONSUMER',
      name: 'process',
      at: 5,
      links: [{ trace: '1', id: '1' }],
    })
    await eventually(() => assert.deepEqual(told().at(-1)?.services, ['shop', 'pay']))
    abort.abort()
    await reading
  })

  test('cuts off a reader that does not read, and goes on for the others', async (context) => {
    const explorer = await temporaryExplorer(context)
    const { port } = new URL(explorer.url)
    const slow = connect(Number(port), '127.0.0.1')
    context.after(() => slow.destroy())
    slow.write(`GET /api/journeys/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    slow.pause()
    const closed = once(slow, 'close')
    const long = 'x'.repeat(60_000)
    for (let i = 0; !slow.destroyed && i < 4_000; i++) {
      await send(
        explorer,
        ...Array.from({ length: 25 }, (_, n) => ({ trace: `${i}0${n}`, id: '1', service: `${long}${n}` })),
      )
      if (i > 20) slow.resume()
    }
    await closed
    assert.equal((await fetch(`${explorer.url}/api/status`)).status, 200)
  })
})

describe('the page', () => {
  function built(folder: string): string {
    const uiDir = join(folder, 'ui')
    mkdirSync(join(uiDir, 'assets'), { recursive: true })
    writeFileSync(join(uiDir, 'index.html'), '<title>page</title>')
    writeFileSync(join(uiDir, 'assets', 'app-5f3a9c1b.js'), 'run()')
    writeFileSync(join(uiDir, 'icon.svg'), '<svg/>')
    writeFileSync(join(folder, 'secret.txt'), 'secret')
    symlinkSync(join(folder, 'secret.txt'), join(uiDir, 'link.txt'))
    return uiDir
  }

  test('is served for its own views, its hashed files for ever', async (context) => {
    const explorer = await temporaryExplorer(context, { uiDir: built(temporaryFolder(context)) })
    for (const path of ['/', '/journey/e-1', '/journey/a.b%2Fc?x=1']) {
      const answer = await fetch(explorer.url + path)
      assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
      assert.equal(answer.headers.get('cache-control'), 'no-cache')
      assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/)
      assert.equal(await answer.text(), '<title>page</title>')
    }
    const script = await fetch(`${explorer.url}/assets/app-5f3a9c1b.js`)
    assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8')
    assert.equal(script.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.equal((await fetch(`${explorer.url}/icon.svg`)).headers.get('cache-control'), 'no-cache')
  })

  test('gives no file from outside its folder', async (context) => {
    const explorer = await temporaryExplorer(context, { uiDir: built(temporaryFolder(context)) })
    const { port } = new URL(explorer.url)
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/link.txt',
      '/assets/../../secret.txt',
      '/secret.txt%00.js',
      '/missing.js',
    ]) {
      const [answer] = await once(request({ port, host: '127.0.0.1', path }).end(), 'response')
      answer.resume()
      assert.equal(answer.statusCode, 404, path)
    }
  })

  test('says how it is built where it is not', async (context) => {
    const explorer = await temporaryExplorer(context)
    const answer = await fetch(explorer.url)
    assert.equal(answer.status, 200)
    assert.match(await answer.text(), /throughline explorer<\/code> builds it/)
  })
})
