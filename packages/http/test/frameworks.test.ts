import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { type EventHandler, PermanentError } from '@throughline/core'
import type { HttpHandler, HttpSubscriberOptions } from '@throughline/http'
import { eventually, withSpans } from '@throughline/testkit'
import { instrument, processUnderServer } from './instrumentation.ts'
import { problemCode, rawClient } from './support.ts'

// Before any framework has taken hold of node:http.
instrument(new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true }))
const { http } = await import('@throughline/http')
const { createServer } = await import('node:http')
const { default: express } = await import('express')
const { default: fastify } = await import('fastify')
const { Hono } = await import('hono')
const { serve } = await import('@hono/node-server')

/** A server that gives its requests at `/events` to a handler, as each framework's users would write it. */
const frameworks: Readonly<
  Record<string, (events: HttpHandler) => Promise<{ server: Server; close(): unknown }>>
> = {
  async 'node:http'(events) {
    const server = createServer(events.node).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, close: () => server.close() }
  },
  async Express(events) {
    const app = express()
    app.all('/events', events.node)
    app.use(express.json())
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, close: () => server.close() }
  },
  async Fastify(events) {
    const app = fastify()
    app.register(async (scope) => {
      // The body is the handler's to read.
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _body, done) => done(null))
      scope.all('/events', (request, reply) => {
        reply.hijack()
        events.node(request.raw, reply.raw)
      })
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { server: app.server, close: () => app.close() }
  },
  async Hono(events) {
    const app = new Hono()
    app.all('/events', (context) => events.fetch(context.req.raw))
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
    assert.ok('headersTimeout' in server)
    await once(server, 'listening')
    return { server, close: () => server.close() }
  },
}

const HEADERS = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }
const HEAD =
  'POST /events HTTP/1.1\r\nhost: x\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n'

for (const [name, start] of Object.entries(frameworks)) {
  describe(name, () => {
    async function mounted(t: TestContext, run: EventHandler, options: Partial<HttpSubscriberOptions> = {}) {
      const broker = http()
      const events = await broker.handler({ path: '/events', maxBodyBytes: 1024, ...options }, run)
      const { server, close } = await start(events)
      t.after(async () => {
        await broker.close({ graceMs: 0 })
        server.closeAllConnections()
        await close()
      })
      const { port } = server.address() as AddressInfo
      return { broker, events, port, url: `http://127.0.0.1:${port}/events` }
    }

    test('the process span is the child of the server’s span, with a link to the send', async (t) => {
      await withSpans(async (spans) => {
        const seen: unknown[] = []
        const { broker, url } = await mounted(t, (event) => seen.push(event.data))
        const result = await broker.publisher({ url }).publish({ type: 't', source: '/s', data: { a: 1 } })
        assert.deepEqual([result, seen], [{ ok: true, statusCode: 204 }, [{ a: 1 }]])
        await eventually(() => {
          const process = processUnderServer(spans)
          assert.equal(process?.attributes?.['http.request.method'], 'POST')
        })
      })
    })

    test('every outcome is answered as by our own server', async (t) => {
      const thrown: Error[] = [new PermanentError('no such door'), new Error('password')]
      const { url } = await mounted(t, () => Promise.reject(thrown.shift() ?? new Error('not called')))
      const post = async (body: string, headers: Record<string, string> = HEADERS, method = 'POST') => {
        const response = await fetch(url, { method, headers, ...(method === 'GET' ? {} : { body }) })
        return [response.status, await problemCode(response)]
      }
      assert.deepEqual(await post(''), [422, 'TL_PERMANENT'])
      assert.deepEqual(await post(''), [503, 'TL_RELEASED'])
      assert.deepEqual(await post('', { 'ce-specversion': '1.0' }), [400, 'TL_EVENT_INVALID'])
      assert.deepEqual(await post('{', { 'content-type': 'application/json', ...HEADERS }), [
        400,
        'TL_EVENT_INVALID',
      ])
      assert.deepEqual(await post('x', { 'content-type': 'text/plain' }), [
        415,
        'TL_CONTENT_TYPE_UNSUPPORTED',
      ])
      assert.deepEqual(await post('x'.repeat(2000)), [413, 'TL_TOO_LARGE'])
      assert.deepEqual(await post('', HEADERS, 'GET'), [405, 'TL_METHOD_UNKNOWN'])
    })

    test('a body without a length that grows too large is answered while it is being sent', async (t) => {
      const { port } = await mounted(t, () => assert.fail('no event arrives'))
      const client = rawClient(port)
      client.send(`${HEAD}transfer-encoding: chunked\r\n\r\n`)
      client.send(`1000\r\n${'x'.repeat(4096)}\r\n`.repeat(4))
      await eventually(() => assert.deepEqual(client.statuses(), [413]))
      client.socket.destroy()
    })

    test('a body that never ends is given up', async (t) => {
      const { port } = await mounted(t, () => assert.fail('no event arrives'), { bodyTimeoutMs: 50 })
      const client = rawClient(port)
      client.send(`${HEAD}content-length: 10\r\n\r\nhalf`)
      await eventually(() => assert.deepEqual(client.statuses(), [408]))
      client.socket.destroy()
    })

    test('a caller that goes away takes its delivery with it', async (t) => {
      const aborted = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const { port } = await mounted(t, (_, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve())
        started.resolve()
        return aborted.promise
      })
      const client = rawClient(port)
      client.send(`${HEAD}content-length: 4\r\n\r\nbody`)
      await started.promise
      client.socket.destroy()
      await aborted.promise
    })

    test('closing answers 503 to what is under way and to what comes later', async (t) => {
      const started = Promise.withResolvers<void>()
      const { events, url } = await mounted(t, () => {
        started.resolve()
        return new Promise(() => {})
      })
      const answer = fetch(url, { method: 'POST', headers: HEADERS })
      await started.promise
      await events.close({ graceMs: 0 })
      for (const response of [await answer, await fetch(url, { method: 'POST', headers: HEADERS })]) {
        assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
        assert.equal(await problemCode(response), 'TL_CLOSING')
      }
      assert.equal(events.state, 'stopped')
    })
  })
}
