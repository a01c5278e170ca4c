import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { StoreFullError } from '../../src/errors.ts'
import { requestType } from '../../src/otlp/codec.ts'
import { otlpDescriptor } from '../../src/otlp/descriptor.ts'
import { intakeQueue } from '../../src/otlp/intake-queue.ts'
import { decodeJsonRequest } from '../../src/otlp/json.ts'
import { otlpReceiver } from '../../src/otlp/receiver.ts'
import { answerOf, explorerStatus, exportAnswer, journeyAnswer, statusAnswer } from '../answer.ts'
import { requestJson } from '../otlp-json.ts'
import { needsShared, sharedFile } from '../shared-data.ts'
import { temporaryExplorer, temporaryStore } from '../temporary.ts'

const root = protobuf.Root.fromJSON(otlpDescriptor)
const decoded = (type: string, body: ArrayBuffer) => {
  const found = root.lookupType(type)
  return found.toObject(found.decode(new Uint8Array(body)), { longs: Number })
}
const json = { 'content-type': 'application/json' }
const binary = { 'content-type': 'application/x-protobuf' }
const golden = () => sharedFile('golden/otlp.json')
const goldenBinary = () => Buffer.from(requestType.encode({ ...decodeJsonRequest(golden()) }).finish())
const oneSpan = JSON.stringify(requestJson([{ trace: '1', id: '1' }]))

async function spanCount(url: string): Promise<number> {
  return (await answerOf(fetch(`${url}/api/status`), explorerStatus)).spanCount
}

for (const [name, headers, body] of [
  ['JSON', json, golden],
  ['JSON with gzip', { ...json, 'content-encoding': 'gzip' }, () => gzipSync(golden())],
  ['JSON with a charset', { 'content-type': 'application/json; charset=utf-8' }, golden],
  ['protobuf', binary, goldenBinary],
  ['protobuf with gzip', { ...binary, 'content-encoding': 'gzip' }, () => gzipSync(goldenBinary())],
  ['protobuf with deflate', { ...binary, 'content-encoding': 'deflate' }, () => deflateSync(goldenBinary())],
] as const) {
  test(`spans are taken as ${name} and can be found at once`, needsShared, async (context) => {
    const explorer = await temporaryExplorer(context)
    const answer = await fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body: body() })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), headers['content-type'].split(';')[0])
    const content = await answer.arrayBuffer()
    if (headers['content-type'] === 'application/x-protobuf') assert.equal(content.byteLength, 0)
    else assert.equal(Buffer.from(content).toString(), '{}')
    assert.equal(await spanCount(explorer.url), 18)
    const journey = await answerOf(fetch(`${explorer.url}/api/journeys/e-1`), journeyAnswer)
    assert.equal(journey.spans.length, 8)
  })
}

test('a span with a wrong id is rejected by number and reason, the others are kept', async (context) => {
  const explorer = await temporaryExplorer(context)
  const request = requestJson([
    { trace: '1', id: '1', name: 'good' },
    { trace: '1', id: '2', name: 'no trace' },
    { trace: '1', id: '3', name: 'zero' },
    { trace: '1', id: '4', name: 'short parent' },
  ])
  const [, second, third, fourth] = request.resourceSpans.map(({ scopeSpans }) => scopeSpans[0]?.spans[0])
  assert.ok(second && third && fourth)
  second.traceId = ''
  third.spanId = '0000000000000000'
  fourth.parentSpanId = 'abcd'
  const answer = await fetch(`${explorer.otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify(request),
  })
  assert.equal(answer.status, 200)
  const { partialSuccess } = await answerOf(answer, exportAnswer)
  assert.equal(partialSuccess.rejectedSpans, '3')
  assert.match(partialSuccess.errorMessage, /"no trace": trace id must be 16 bytes/)
  assert.match(partialSuccess.errorMessage, /"zero": span id must be 8 bytes, not all zero/)
  assert.match(partialSuccess.errorMessage, /"short parent": parent span id/)
  assert.equal(await spanCount(explorer.url), 1)
})

test('a body that cannot be read is answered 400 with a Status in the encoding of the request', async (context) => {
  const { otlpUrl } = await temporaryExplorer(context)
  const post = (headers: Record<string, string>, body: string | Buffer<ArrayBuffer>) =>
    fetch(`${otlpUrl}/v1/traces`, { method: 'POST', headers, body })
  const broken = await post(json, '{"resourceSpans":[')
  assert.equal(broken.status, 400)
  const status = await answerOf(broken, statusAnswer)
  assert.equal(status.code, 3)
  assert.match(status.message, /not JSON/)
  const named = await post(json, oneSpan.replace(/"spanId":"[^"]*"/, '"spanId":"xyz"'))
  assert.match(
    (await answerOf(named, statusAnswer)).message,
    /resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.spanId: expected hex digits, got "xyz"/,
  )
  const bytes = await post(binary, Buffer.from([0x0a, 0xff, 0xff]))
  assert.equal(bytes.status, 400)
  assert.equal(bytes.headers.get('content-type'), 'application/x-protobuf')
  const { code, message } = decoded('Status', await bytes.arrayBuffer())
  assert.equal(code, 3)
  assert.match(message, /not an OTLP trace request/)
  assert.equal((await post({ ...json, 'content-encoding': 'gzip' }, 'not gzip')).status, 400)
})

test('a content type or encoding that is not OTLP is answered 415, another path 404', async (context) => {
  const { otlpUrl } = await temporaryExplorer(context)
  const post = (path: string, headers: Record<string, string>) =>
    fetch(`${otlpUrl}${path}`, { method: 'POST', headers, body: '{}' })
  assert.equal((await post('/v1/traces', { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post('/v1/traces', { ...json, 'content-encoding': 'br' })).status, 415)
  const missing = await post('/v1/nothing', json)
  assert.equal(missing.status, 404)
  assert.match((await answerOf(missing, statusAnswer)).message, /POST \/v1\/traces/)
})

test('a body over the limit is answered 413, also when it is small until it is inflated', async (context) => {
  const explorer = await temporaryExplorer(context)
  const post = (headers: Record<string, string>, body: string | Buffer<ArrayBuffer>) =>
    fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body }).catch(() => null)
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024))
  assert.ok(bomb.length < 1024 * 1024)
  const before = process.memoryUsage().rss
  const inflated = await post({ ...json, 'content-encoding': 'gzip' }, bomb)
  assert.ok(inflated)
  assert.equal(inflated.status, 413)
  assert.match((await answerOf(inflated, statusAnswer)).message, /larger than \d+ bytes when inflated/)
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024, 'the bomb was not inflated whole')
  // A server may close the connection before such a body is sent to its end; then there is no answer to read.
  const large = await post(json, Buffer.alloc(20 * 1024 * 1024, 0x20))
  if (large) assert.equal(large.status, 413)
  const ok = await post(json, oneSpan)
  assert.equal(ok?.status, 200)
})

test('metrics and logs are answered so that SDKs with default settings are content, and told why', async (context) => {
  const { otlpUrl } = await temporaryExplorer(context)
  for (const [signal, count] of [
    ['metrics', 'rejectedDataPoints'],
    ['logs', 'rejectedLogRecords'],
  ] as const) {
    const answer = await fetch(`${otlpUrl}/v1/${signal}`, { method: 'POST', headers: json, body: '{}' })
    assert.equal(answer.status, 200)
    const { partialSuccess } = await answerOf(answer, exportAnswer)
    assert.equal(partialSuccess[count], '0')
    assert.match(partialSuccess.errorMessage, /traces only/)
    const inBinary = await fetch(`${otlpUrl}/v1/${signal}`, { method: 'POST', headers: binary, body: '' })
    assert.match(
      decoded('ExportServiceResponse', await inBinary.arrayBuffer()).partialSuccess.errorMessage,
      /traces only/,
    )
  }
})

test('a full store is answered 503 with Retry-After, logged once, and taken again when there is room', async (context) => {
  const log: string[] = []
  const store = temporaryStore(context)
  let isFull = true
  const queue = intakeQueue(
    {
      ...store,
      append(records) {
        if (isFull) throw new StoreFullError('/data', new Error('disk is full'))
        store.append(records)
      },
    },
    () => {},
  )
  const app = otlpReceiver({ queue, token: null, log: (line) => log.push(line) })
  context.after(() => app.close())
  const post = () => app.inject({ method: 'POST', url: '/v1/traces', headers: json, payload: oneSpan })
  for (const answer of [await post(), await post()]) {
    assert.equal(answer.statusCode, 503)
    assert.equal(answer.headers['retry-after'], '1')
    assert.equal(answer.json().code, 14)
  }
  assert.equal(log.length, 1)
  assert.match(log[0] ?? '', /no room left to write spans in \/data/)
  isFull = false
  assert.equal((await post()).statusCode, 200)
  assert.match(log[1] ?? '', /there is room again/)
  assert.equal(store.stats().spanCount, 1)
})

test('more bodies at once than are allowed are answered 429 with Retry-After', async (context) => {
  const store = temporaryStore(context)
  const app = otlpReceiver({
    queue: intakeQueue(store, () => {}),
    token: null,
    log: () => {},
    maxPendingBytes: 10,
  })
  context.after(() => app.close())
  const answer = await app.inject({ method: 'POST', url: '/v1/traces', headers: json, payload: oneSpan })
  assert.equal(answer.statusCode, 429)
  assert.equal(answer.headers['retry-after'], '1')
  assert.equal(answer.json().code, 8)
})

test('a page of another site cannot write spans, a page of this machine can', async (context) => {
  const { otlpUrl } = await temporaryExplorer(context)
  const post = (origin: string) =>
    fetch(`${otlpUrl}/v1/traces`, { method: 'POST', headers: { ...json, origin }, body: oneSpan })
  assert.equal((await post('https://evil.example')).status, 403)
  assert.equal((await post('null')).status, 403)
  assert.equal((await post('http://localhost:3000')).status, 200)
})

test(
  'thousands of damaged requests get an answer each, and the good one after them is kept',
  needsShared,
  async (context) => {
    const store = temporaryStore(context)
    const app = otlpReceiver({
      queue: intakeQueue(store, () => {}),
      token: null,
      log: (line) => assert.fail(line),
    })
    context.after(() => app.close())
    const random = seeded(20_261_121)
    const text = golden()
    const bytes = goldenBinary()
    const allowed = new Set([200, 400, 413, 415])
    for (let i = 0; i < 3_000; i++) {
      const isJson = random() < 0.5
      const sound = isJson ? text.subarray(0, 6_000) : bytes
      const payload = damaged(
        i % 3 === 0 ? (isJson ? Buffer.from(oneSpan) : bytes.subarray(0, 900)) : sound,
        random,
      )
      const headers: Record<string, string> = { ...(isJson ? json : binary) }
      if (random() < 0.1) headers['content-encoding'] = 'gzip'
      const answer = await app.inject({ method: 'POST', url: '/v1/traces', headers, payload })
      assert.ok(allowed.has(answer.statusCode), `${answer.statusCode} for input ${i}`)
    }
    const answer = await app.inject({ method: 'POST', url: '/v1/traces', headers: json, payload: text })
    assert.equal(answer.statusCode, 200)
    assert.equal(store.byEvent({ id: 'e-1', source: null }, 100).length >= 6, true)
  },
)

/** Flips, cuts, doubles and inserts bytes. */
function damaged(sound: Buffer, random: () => number): Buffer {
  const at = () => Math.floor(random() * sound.length)
  const copy = Buffer.from(sound)
  switch (Math.floor(random() * 4)) {
    case 0:
      for (let n = 1 + random() * 8; n > 0; n--) copy[at()] = Math.floor(random() * 256)
      return copy
    case 1:
      return copy.subarray(0, at())
    case 2: {
      const from = at()
      return Buffer.concat([copy, copy.subarray(from, from + 50)])
    }
    default: {
      const from = at()
      return Buffer.concat([
        copy.subarray(0, from),
        Buffer.from([random() * 256, random() * 256]),
        copy.subarray(from),
      ])
    }
  }
}

/** mulberry32: the same numbers on every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
