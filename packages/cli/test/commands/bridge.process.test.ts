import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { otlpSink } from '@throughline/testkit'
import { serve, temporaryFolder, throughline } from '../command.ts'

const event = {
  method: 'POST',
  headers: { 'content-type': 'application/cloudevents+json' },
  body: JSON.stringify({ specversion: '1.0', id: 'one', source: '/test', type: 'com.example.test' }),
}

function configuration(folder: string, listen: string, to: string): string {
  const file = join(folder, 'bridge.yaml')
  const text = `connections:
  in: { type: http, listen: "${listen}" }
  out: { type: http }
routes:
  copy:
    from: { connection: in, path: /events }
    to: { connection: out, url: "${to}" }
  other:
    from: { connection: in, path: /other }
    to: { connection: out, url: "${to}" }
`
  writeFileSync(file, text)
  return file
}

/** A destination, gone with the test. */
async function destination(listener?: RequestListener): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  await using server = await destination()
  return server.port
}

const adminUrl = /admin server on (http:\/\/[\d.]+:\d+)/
const source = /route copy: running[^\n]*http (127\.0\.0\.1:\d+)/

describe('a bridge', () => {
  test('finishes what is in flight on SIGTERM, exports its spans and ends with 0', async () => {
    using folder = temporaryFolder()
    await using sink = await otlpSink()
    const arrived = Promise.withResolvers<void>()
    const confirm = Promise.withResolvers<void>()
    await using target = await destination(async (_request, response) => {
      arrived.resolve()
      await confirm.promise
      response.writeHead(204).end()
    })
    const { port } = target
    const file = configuration(folder.path, `127.0.0.1:${await freePort()}`, `http://127.0.0.1:${port}/sink`)
    await using bridge = serve(['bridge', '--config', file, '--route', 'copy', '--admin', '127.0.0.1:0'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
    })
    const [, admin = ''] = await bridge.printed(adminUrl)
    const [, address = ''] = await bridge.printed(source)
    assert.equal((await fetch(`${admin}/readyz`)).status, 200)
    const routes: unknown = await (await fetch(`${admin}/routes`)).json()
    assert.ok(Array.isArray(routes) && routes.length === 1, 'the other route does not run in this process')

    const answer = fetch(`http://${address}/events`, event)
    await arrived.promise
    const ended = bridge.end('SIGTERM')
    await bridge.printed(/SIGTERM: draining/)
    confirm.resolve()
    assert.equal((await answer).status, 204)
    assert.deepEqual(await ended, { code: 0, signal: null })

    const spans = sink.spans()
    assert.deepEqual(
      spans.map(({ service, kind }) => `${service} ${kind}`),
      ['throughline-bridge PRODUCER', 'throughline-bridge CONSUMER'],
    )
  })

  test('ends at once on a second signal, and the event was not accepted', async () => {
    using folder = temporaryFolder()
    const arrived = Promise.withResolvers<void>()
    await using target = await destination(() => arrived.resolve())
    const { port } = target
    const file = configuration(folder.path, `127.0.0.1:${await freePort()}`, `http://127.0.0.1:${port}/sink`)
    await using bridge = serve(['bridge', '--config', file])
    const [, address = ''] = await bridge.printed(source)
    const answer = fetch(`http://${address}/events`, event).then(
      ({ status }) => status,
      () => 'lost',
    )
    await arrived.promise
    const ended = bridge.end('SIGTERM')
    await bridge.printed(/SIGTERM: draining/)
    // As often as it takes: signals close together are one request.
    const impatience = setInterval(() => bridge.child.kill('SIGTERM'), 100)
    assert.deepEqual(await ended, { code: 143, signal: null })
    clearInterval(impatience)
    assert.equal(await answer, 'lost')
  })

  test('sets no SDK up where no endpoint is named, and passes the context through', async () => {
    using folder = temporaryFolder()
    const seen = Promise.withResolvers<string | undefined>()
    await using target = await destination((request, response) => {
      seen.resolve(request.headers.traceparent?.toString())
      response.writeHead(204).end()
    })
    const { port } = target
    const file = configuration(folder.path, `127.0.0.1:${await freePort()}`, `http://127.0.0.1:${port}/sink`)
    await using bridge = serve(['bridge', '--config', file])
    const [, address = ''] = await bridge.printed(source)
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await fetch(`http://${address}/events`, { ...event, headers: { ...event.headers, traceparent } })
    assert.equal(await seen.promise, traceparent)
    assert.deepEqual(await bridge.end('SIGINT'), { code: 0, signal: null })
  })

  test('says in one sentence that its port is taken, and ends with exit code 1', async () => {
    using folder = temporaryFolder()
    await using other = await destination()
    const { port } = other
    const file = configuration(folder.path, `127.0.0.1:${port}`, 'http://127.0.0.1:1/sink')
    const { code, stderr } = await throughline(['bridge', '--config', file])
    assert.equal(code, 1, stderr)
    assert.match(stderr, new RegExp(`throughline: .*127\\.0\\.0\\.1:${port}.*\\(TL_[A-Z_]+\\)\n$`))
    assert.doesNotMatch(stderr, /\n {4}at /)
  })

  test('refuses a route that the file does not have, with exit code 2', async () => {
    using folder = temporaryFolder()
    const file = configuration(folder.path, '127.0.0.1:0', 'http://127.0.0.1:1/sink')
    const { code, stderr } = await throughline(['bridge', '--config', file, '--route', 'cpoy'])
    assert.equal(code, 2)
    assert.match(stderr, /has no route cpoy.*copy.*TL_ROUTE_UNKNOWN/)
  })
})
