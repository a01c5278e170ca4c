import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freePort, serve, temporaryFolder, throughline } from '../command.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const eventId = '6f1c8a52-41f5-4e8e-9f0b-2f1f2b6f7d11'

/** One hop over HTTP, as any OTLP/JSON exporter would send it. */
function spans() {
  const startMs = Date.now()
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } })
  const span = (spanId: string, parentSpanId: string, operation: string, kind: number, atMs: number) => ({
    traceId,
    spanId,
    parentSpanId,
    kind,
    name: `${operation} /events`,
    startTimeUnixNano: `${BigInt(startMs + atMs) * 1_000_000n}`,
    endTimeUnixNano: `${BigInt(startMs + atMs + 5) * 1_000_000n}`,
    attributes: [
      text('messaging.system', 'http'),
      text('messaging.operation.name', operation),
      text('messaging.operation.type', operation),
      text('messaging.destination.name', '/events'),
      text('cloudevents.event_id', eventId),
    ],
  })
  const of = (service: string, span: object) => ({
    resource: { attributes: [text('service.name', service)] },
    scopeSpans: [{ spans: [span] }],
  })
  const resourceSpans = [
    of('station', span('00f067aa0ba902b7', '', 'send', 4, 0)),
    of('webhook', span('00f067aa0ba902b8', '00f067aa0ba902b7', 'process', 5, 2)),
  ]
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans }),
  }
}

const listen = ['--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0']

async function addresses(explorer: ReturnType<typeof serve>): Promise<{ url: string; otlpUrl: string }> {
  const [, url = '', otlpUrl = ''] = await explorer.printed(/explorer {3}(\S+)\nOTLP\/HTTP {2}(\S+)\n/)
  return { url, otlpUrl }
}

describe('an explorer', () => {
  test('keeps what it answered OK over SIGTERM, and journey prints it as text and JSON', async () => {
    using folder = temporaryFolder()
    const args = ['explorer', ...listen, '--data', folder.path]
    {
      await using explorer = serve(args)
      const { otlpUrl } = await addresses(explorer)
      assert.equal((await fetch(`${otlpUrl}/v1/traces`, spans())).status, 200)
      assert.deepEqual(await explorer.end('SIGTERM'), { code: 0, signal: null })
    }
    await using explorer = serve(args)
    const { url } = await addresses(explorer)

    const asText = await throughline(['journey', eventId, '--explorer', url])
    assert.equal(asText.code, 0, asText.stderr)
    assert.match(asText.stdout, /^journey of 6f1c8a52….*\n {2}HTTP {2}station → webhook {2}\/events/)

    const asJson = await throughline(['journey', traceId, '--json'], { THROUGHLINE_EXPLORER: url })
    assert.equal(asJson.code, 0, asJson.stderr)
    const { eventId: id, hops, spans: count, missing } = JSON.parse(asJson.stdout)
    assert.deepEqual({ id, count, missing }, { id: eventId, count: 2, missing: [] })
    assert.deepEqual(hops, [
      { transport: 'http', destination: '/events', from: 'station', to: 'webhook', queueMs: 2 },
    ])

    const unknown = await throughline(['journey', 'nobody-knows', '--explorer', url])
    assert.equal(unknown.code, 3)
    assert.match(
      unknown.stderr,
      /knows of no event, trace or span "nobody-knows".*\(TL_JOURNEY_NOT_FOUND\)\n$/,
    )
    assert.deepEqual(await explorer.end('SIGINT'), { code: 0, signal: null })
  })

  test('serves the page, built from the sources of the clone', async () => {
    using folder = temporaryFolder()
    await using explorer = serve(['explorer', ...listen, '--data', folder.path])
    const { url } = await addresses(explorer)
    const page = await fetch(url)
    assert.equal(page.status, 200)
    assert.match(await page.text(), /<script src="\/assets\//)
  })

  test('says in one sentence that a port is taken, and ends with exit code 1', async () => {
    using folder = temporaryFolder()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    assert.ok(typeof address === 'object' && address !== null)
    const taken = `127.0.0.1:${address.port}`
    const args = ['explorer', '--listen', taken, '--otlp-http', '127.0.0.1:0', '--data', folder.path]
    const { code, stderr } = await throughline(args)
    other.close()
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(`throughline: .*cannot listen on ${taken}: the port is taken.*\\(TL_PORT_TAKEN\\)`),
    )
  })

  test('wants a token before it listens to other machines, and is then asked with it', async () => {
    using folder = temporaryFolder()
    const data = ['--data', join(folder.path, 'spans')]
    const refused = await throughline([
      'explorer',
      '--listen',
      '0.0.0.0:0',
      '--otlp-http',
      '127.0.0.1:0',
      ...data,
    ])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /TL_TOKEN_REQUIRED/)

    const file = join(folder.path, 'token')
    writeFileSync(file, 'a-secret\n')
    await using explorer = serve(['explorer', ...listen, ...data, '--token-file', file])
    const { url } = await addresses(explorer)
    const without = await throughline(['journey', 'x', '--explorer', url])
    assert.equal(without.code, 1)
    assert.match(without.stderr, /wants a token: --token-file FILE/)
    assert.equal((await throughline(['journey', 'x', '--explorer', url, '--token-file', file])).code, 3)
  })
})

test('journey says that no explorer answers, and where it looked', async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  const { code, stderr } = await throughline(['journey', 'x', '--explorer', url])
  assert.equal(code, 1)
  assert.match(stderr, new RegExp(`no explorer answers at ${url} \\(.*ECONNREFUSED.*TL_EXPLORER_UNREACHABLE`))
})

test('journey tells another server from an explorer', async () => {
  const other = createHttpServer((_request, response) => response.end('<h1>hello</h1>')).listen(
    0,
    '127.0.0.1',
  )
  await once(other, 'listening')
  const address = other.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { code, stderr } = await throughline([
    'journey',
    'x',
    '--explorer',
    `http://127.0.0.1:${address.port}`,
  ])
  other.close()
  assert.equal(code, 1)
  assert.match(stderr, /is no explorer of this version/)
})
