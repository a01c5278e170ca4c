import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { UnavailableError } from '@throughline/core'
import { parseConfig } from '../src/config/read.ts'
import { connect } from '../src/connect.ts'

test('a source over HTTP lets in who brings the token, and answers webhooks', async () => {
  const config = parseConfig(
    `connections:
  kafka: { type: kafka, brokers: "localhost:1" }
  web: { type: http, listen: "127.0.0.1:0" }
routes:
  in:
    from:
      connection: web
      path: /hook
      accessToken: "\${OLD},\${NEW}"
      webhook: { origins: "*", requestsPerMinute: 60 }
    to: { connection: kafka, topic: t }
`,
    'test.yaml',
    { OLD: 'secret-1', NEW: 'secret-2' },
  )
  const [route] = config.routes
  const web = config.connections.get('web')
  assert.ok(route && web)
  const connection = connect('web', web, {})
  const { signal } = new AbortController()
  await connection.subscribe(route.from, { route: 'in', signal }, { raw: true, run: () => {} })
  const url = `http://127.0.0.1:${connection.address()?.port}/hook`
  const statusOf = async (token: string) =>
    (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status
  assert.deepEqual(
    [await statusOf('secret-1'), await statusOf('secret-2'), await statusOf('secret-3')],
    [204, 204, 401],
  )
  const asked = await fetch(url, { method: 'OPTIONS', headers: { 'webhook-request-origin': 'a.example' } })
  assert.equal(asked.headers.get('webhook-allowed-rate'), '60')
  await connection.close()
  assert.deepEqual(config.secrets, ['secret-1', 'secret-2'])
})

test('a target over HTTP is sent to once a try: the route, not the publisher, tries again', async (t) => {
  let requests = 0
  const server = createServer((_, response) => {
    requests++
    response.writeHead(503).end()
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const config = parseConfig(
    `connections:
  kafka: { type: kafka, brokers: "localhost:1" }
  web: { type: http }
routes:
  out:
    from: { connection: kafka, topics: [a], group: g }
    to: { connection: web, url: "http://127.0.0.1:${port}/" }
`,
    'test.yaml',
    {},
  )
  const [route] = config.routes
  const web = config.connections.get('web')
  assert.ok(route && web)
  const connection = connect('web', web, {})
  const [result] = await connection.publisher(route.to, {}).publishMessages([{ body: null, headers: [] }])
  await connection.close()
  assert.ok(result !== undefined && !result.ok && result.error instanceof UnavailableError)
  assert.equal(requests, 1)
})
