import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { otlpSink } from '@throughline/testkit'
import { bin, ended, flags, serve, temporaryFolder, throughline } from '../command.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${spanId}-03`

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that takes all it is sent, or answers with `statusCode` from the request `from` on. */
async function receiver(statusCode = 204, from = 0) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const body = (await buffer(request)).toString()
    response.writeHead(received.length < from ? 204 : statusCode).end()
    received.push({ headers: request.headers, body })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    received,
    url: `http://127.0.0.1:${address.port}/events`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const event = ['--type', 'com.example.order.created', '--source', '/orders', '--id', '4711']

test('an event arrives as it was given, and it is said where it stands', async () => {
  await using to = await receiver()
  const { code, stdout, stderr } = await throughline([
    'send',
    to.url,
    ...event,
    ...['--subject', 'A 1', '--attribute', 'tenant=acme', '--header', 'x-shop=1', '--data', '{"sku":"A-1"}'],
  ])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, '/events 204  id 4711  no trace\n')
  assert.equal(stderr, '')
  const [{ headers, body } = { headers: {}, body: '' }] = to.received
  assert.equal(body, '{"sku":"A-1"}')
  assert.equal(headers['ce-type'], 'com.example.order.created')
  assert.equal(headers['ce-subject'], 'A%201')
  assert.equal(headers['ce-tenant'], 'acme')
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(headers['x-shop'], '1')
  assert.equal(headers.traceparent, undefined)
})

test('the message continues the context that it is given, as it is where no span is made', async () => {
  await using to = await receiver()
  const args = ['--traceparent', traceparent, '--tracestate', 'a=1', '--baggage', 'user=1', '--json']
  const { code, stdout, stderr } = await throughline(['send', to.url, ...event, ...args])
  assert.equal(code, 0, stderr)
  assert.deepEqual(JSON.parse(stdout), {
    id: '4711',
    place: '/events 204',
    destination: '/events',
    statusCode: 204,
    traceId,
    traceparent,
  })
  const { traceparent: sent, tracestate, baggage } = to.received[0]?.headers ?? {}
  assert.deepEqual({ sent, tracestate, baggage }, { sent: traceparent, tracestate: 'a=1', baggage: 'user=1' })
})

test('with an OTLP endpoint the send is a span, child of the context given, and the message carries it', async () => {
  await using to = await receiver()
  await using sink = await otlpSink()
  const args = ['--traceparent', traceparent, '--tracestate', 'a=1', '--otlp', sink.url]
  const { code, stdout, stderr } = await throughline(['send', to.url, ...event, ...args])
  assert.equal(code, 0, stderr)
  assert.equal(stdout, `/events 204  id 4711  trace ${traceId}\n`)
  const [span, ...others] = sink.spans()
  assert.deepEqual(others, [])
  assert.equal(span?.service, 'throughline-send')
  assert.equal(span.name, 'send /events')
  assert.equal(span.kind, 'PRODUCER')
  assert.deepEqual([span.traceId, span.parentSpanId], [traceId, spanId])
  assert.equal(span.attributes['cloudevents.event_id'], '4711')
  const { traceparent: sent, tracestate } = to.received[0]?.headers ?? {}
  assert.equal(sent, `00-${traceId}-${span.spanId}-03`)
  assert.equal(tracestate, 'a=1')
})

test('what was sent is found in the explorer, and it is said how', async () => {
  using folder = temporaryFolder()
  const listen = ['--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', '--data', folder.path]
  await using explorer = serve(['explorer', ...listen])
  const [, url = '', otlp = ''] = await explorer.printed(/explorer {3}(\S+)\nOTLP\/HTTP {2}(\S+)\n/)
  await using to = await receiver()
  const env = { THROUGHLINE_EXPLORER: url }
  const { code, stderr } = await throughline(['send', to.url, ...event, '--otlp', otlp], env)
  assert.equal(code, 0)
  assert.equal(stderr, 'its journey: throughline journey 4711\n')
  const journey = await throughline(['journey', '4711'], env)
  assert.match(journey.stdout, /^journey of 4711 com\.example\.order\.created/)
})

test('it goes on when nobody reads what it prints', async () => {
  await using to = await receiver()
  const command = `'${process.execPath}' ${flags.join(' ')} '${bin}' send ${to.url} --type t --count 1200; echo "ended with $?" >&2`
  const { stderr } = await ended(spawn('sh', ['-c', `(${command}) | head -1`]))
  assert.equal(stderr, 'ended with 0\n')
  assert.equal(to.received.length, 1200)
})

test('credentials of the URL and of the environment are used and never printed', async () => {
  await using to = await receiver(401)
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const url = to.url.replace('http://', 'http://anna:se%40cret@')
  const inUrl = await throughline(['send', url, ...event, '--json'])
  const env = { THROUGHLINE_USERNAME: 'anna', THROUGHLINE_PASSWORD: 'from-env' }
  const inEnv = await throughline(['send', to.url, ...event], env)
  assert.deepEqual(
    to.received.map(({ headers }) => headers.authorization),
    [basic('anna:se@cret'), basic('anna:from-env')],
  )
  for (const { code, stdout, stderr } of [inUrl, inEnv]) {
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /401.*\(TL_HTTP_REFUSED\)/)
    assert.doesNotMatch(stderr, /se@cret|se%40cret|from-env|anna/)
  }
})

describe('data', () => {
  async function typeAndBody(args: readonly string[], input?: string) {
    await using to = await receiver()
    const child = spawn(process.execPath, [...flags, bin, 'send', to.url, ...event, ...args], {
      // A shell's pipe: Node's own is a socket, which is not taken for data.
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.end(input)
    const { code, stderr } = await ended(child)
    assert.equal(code, 0, stderr)
    return [to.received[0]?.headers['content-type'], to.received[0]?.body]
  }

  test('is guessed to be JSON, text or bytes, or what the file’s name says', async () => {
    using folder = temporaryFolder()
    const bytes = join(folder.path, 'x')
    const csv = join(folder.path, 'x.csv')
    writeFileSync(bytes, Buffer.from([0xff, 0xfe]))
    writeFileSync(csv, '1,2')
    assert.deepEqual(await typeAndBody(['--data', '[1]']), ['application/json', '[1]'])
    assert.deepEqual(await typeAndBody(['--data', 'hello']), ['text/plain', 'hello'])
    assert.deepEqual(await typeAndBody(['--data', `@${csv}`]), ['text/csv', '1,2'])
    assert.equal((await typeAndBody(['--data', `@${bytes}`]))[0], 'application/octet-stream')
  })

  test('is standard input for -, and without --data only where that is a pipe or a file', async () => {
    assert.deepEqual(await typeAndBody(['--data', '-'], 'from stdin'), ['text/plain', 'from stdin'])
    assert.deepEqual(await typeAndBody([], 'not asked for'), [undefined, ''])
    await using to = await receiver()
    const script = `echo -n piped | '${process.execPath}' ${flags.join(' ')} '${bin}' send ${to.url} --raw`
    const { code, stderr } = await ended(spawn('sh', ['-c', script]))
    assert.equal(code, 0, stderr)
    assert.equal(to.received[0]?.body, 'piped')
  })

  test('of a file that is not there, or not of its type, is refused with exit code 2', async () => {
    const missing = await throughline(['send', 'http://127.0.0.1:9/', ...event, '--data', '@/nowhere'])
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /\/nowhere cannot be read: ENOENT.*\(TL_BAD_FILE\)/)
    const args = ['--data', '{', '--content-type', 'application/json']
    const invalid = await throughline(['send', 'http://127.0.0.1:9/', ...event, ...args])
    assert.equal(invalid.code, 2)
    assert.match(invalid.stderr, /data: is not valid JSON.*\(TL_EVENT_INVALID\)/)
  })
})

describe('many', () => {
  test('lines of JSON are an event each, with what they lack from the options', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'events.ndjson')
    writeFileSync(file, '{"id":"1","data":{"n":1}}\n\n{"id":"2","type":"other"}\n')
    await using to = await receiver()
    const args = ['--type', 't', '--file', file, '--mode', 'structured']
    const { code, stdout, stderr } = await throughline(['send', to.url, ...args])
    assert.equal(code, 0, stderr)
    assert.deepEqual(stdout.match(/id \d/g), ['id 1', 'id 2'])
    const source = '/throughline/send'
    assert.deepEqual(
      to.received.map(({ body }) => JSON.parse(body)).sort((a, b) => a.id - b.id),
      [
        { specversion: '1.0', id: '1', source, type: 't', data: { n: 1 } },
        { specversion: '1.0', id: '2', source, type: 'other' },
      ],
    )
  })

  test('a line that is not valid is named after those before it were sent', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'events.ndjson')
    writeFileSync(file, '{"id":"1"}\n{"id":"2","time":"soon"}\n{"id":"3"}\n')
    await using to = await receiver()
    const { code, stdout, stderr } = await throughline(['send', to.url, '--type', 't', '--file', file])
    assert.equal(code, 2)
    assert.match(stdout, /^\/events 204 {2}id 1 {2}no trace\n$/)
    assert.match(stderr, /events\.ndjson:2: time: must be an RFC 3339 timestamp.*\(TL_EVENT_INVALID\)/)
    assert.equal(to.received.length, 1)
  })

  test('one that is refused is named, and how many were sent', async () => {
    await using to = await receiver(400, 1)
    const { code, stderr } = await throughline(['send', to.url, '--type', 't', '--count', '2'])
    assert.equal(code, 1)
    assert.match(stderr, /[12] of 2: .*400.*; 1 was sent \(TL_HTTP_REFUSED\)/)
  })

  test('a count sends events with ids of their own', async () => {
    await using to = await receiver()
    const { code } = await throughline(['send', to.url, ...event, '--count', '3'])
    assert.equal(code, 0)
    const ids = to.received.map(({ headers }) => headers['ce-id'])
    assert.deepEqual(ids.sort(), ['4711-1', '4711-2', '4711-3'])
  })
})

describe('what cannot be meant so is answered by one sentence and exit code 2', () => {
  const http = 'http://127.0.0.1:9/x'
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no type', [http], /an event needs --type; --raw sends a message that is no event/],
    ['a raw event', [http, '--raw', '--subject', 'x'], /--raw sends no event, which alone has a subject/],
    ['a key over HTTP', [http, '--type', 't', '--key', 'k'], /--key means nothing to http:/],
    [
      'quality of service of Kafka',
      ['kafka://h/t', '--type', 't', '--qos', '1'],
      /--qos means nothing to kafka:/,
    ],
    ['a context header', [http, '--type', 't', '--header', 'TraceParent=1'], /is given by --traceparent/],
    [
      'a header of our own',
      [http, '--type', 't', '--header', 'throughline-sent-at=1'],
      /by Throughline itself/,
    ],
    ['no header', [http, '--type', 't', '--header', 'x'], /Expected name=value/],
    ['an attribute with its own option', [http, '--type', 't', '--attribute', 'id=1'], /id is given by --id/],
    ['an invalid context', [http, '--type', 't', '--traceparent', '00-1-2-3'], /the trace id: 1 characters/],
    ['a count of none', [http, '--type', 't', '--count', '0'], /Expected a whole number from 1/],
    ['one id for a file', [http, '--type', 't', '--id', '1', '--file', 'y'], /--id is that of one event/],
    ['data and a file', [http, '--type', 't', '--data', 'x', '--file', 'y'], /--file goes with neither/],
  ]
  for (const [what, args, expected] of cases) {
    test(what, async () => {
      const { code, stdout, stderr } = await throughline(['send', ...args])
      assert.equal(code, 2, stderr)
      assert.equal(stdout, '')
      assert.match(stderr, expected)
    })
  }
})
