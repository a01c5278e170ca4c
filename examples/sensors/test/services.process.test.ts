import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { eventually, otlpSink } from '@throughline/testkit'
import { readings } from '../src/readings.ts'

const folder = dirname(import.meta.dirname)
const source = ['--conditions=@throughline/source', '--disable-warning=ExperimentalWarning']

/** A service as its own process, with telemetry going to the sink. */
function start(name: string, otlpUrl: string, args: readonly string[]) {
  const child = spawn(
    process.execPath,
    [...source, '--import', '@throughline/example-telemetry', join(folder, `src/${name}.ts`), ...args],
    { env: { ...process.env, OTEL_SERVICE_NAME: name, OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl } },
  )
  const closed = once(child, 'close')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  return {
    child,
    stdout: text(child.stdout),
    stderr: () => stderr,
    closed,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

test("the readings are NOAA's, in order of time", async () => {
  const first = (await readings().next()).value
  assert.deepEqual(first, { observed: '2010-01-01T01:00:00', celsius: 4, hectopascal: 1016.6, wind: 3.8 })
  let count = 0
  for await (const { celsius, hectopascal, wind } of readings()) {
    assert.ok(celsius > -5 && celsius < 30 && hectopascal > 1000 && hectopascal < 1030 && wind > 0)
    if (++count === 8759) break
  }
})

test('the echo service has a SERVER span in the trace that called it', async () => {
  await using sink = await otlpSink()
  const port = await freePort()
  await using echo = start('echo', sink.url, ['--port', `${port}`])
  await eventually(() => assert.match(echo.stderr(), /listening/), { timeoutMs: 20_000 })
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const answer = await fetch(`http://127.0.0.1:${port}/echo`, {
    method: 'POST',
    headers: { traceparent, 'content-type': 'text/plain' },
    body: 'hello',
  })
  assert.equal(await answer.text(), 'hello')
  echo.child.kill('SIGTERM')
  await echo.closed
  assert.equal(echo.child.exitCode, 0)
  const [span, ...others] = sink.spans()
  assert.deepEqual(others, [])
  assert.equal(span?.kind, 'SERVER')
  assert.equal(span.service, 'echo')
  assert.equal(span.traceId, '4bf92f3577b34da6a3ce929d0e0e4736')
  assert.equal(span.parentSpanId, '00f067aa0ba902b7')
})

test('the station posts binary and structured events in turn, every other one with its origin', async () => {
  await using sink = await otlpSink()
  const requests: { headers: IncomingHttpHeaders; body: string }[] = []
  const webhook = createServer(async (request, response) => {
    requests.push({ headers: request.headers, body: await text(request) })
    // The fifth is refused.
    response.writeHead(requests.length === 5 ? 400 : 204).end()
  })
  const port = await listening(webhook)
  const args = ['--to', `http://127.0.0.1:${port}/events`, '--rate', '20', '--count', '8', '--print-ids']
  await using station = start('station', sink.url, args)
  const ids = (await station.stdout).trim().split('\n')
  await station.closed
  webhook.close()
  assert.equal(station.child.exitCode, 0)
  assert.equal(requests.length, 8)
  assert.equal(ids.length, 7, 'only what was answered 2xx is printed')
  assert.match(station.stderr(), /was not taken/)

  const kinds = requests.map(({ headers, body }) => {
    const structured = headers['content-type']?.startsWith('application/cloudevents+json') === true
    const origin = structured ? JSON.parse(body).traceparent : headers['ce-traceparent']
    return `${structured ? 'structured' : 'binary'}${origin === undefined ? '' : ' with origin'}`
  })
  const four = ['binary', 'binary with origin', 'structured', 'structured with origin']
  assert.deepEqual(kinds.toSorted(), [...four, ...four].toSorted())
  assert.equal(
    new Set(requests.map(({ headers }) => headers.traceparent)).size,
    8,
    'each has a trace of its own',
  )
  assert.deepEqual(
    [...new Set(sink.spans().map(({ name, kind }) => `${kind} ${name}`))],
    ['PRODUCER send /events'],
  )
})
