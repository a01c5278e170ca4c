import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { throughline } from '../command.ts'

const CLEAR = '\u001b[2J\u009b\u202e'

/** An explorer that always gives the same answer. */
async function explorerOf(status: number, body: unknown) {
  const server = createServer((_, response) => response.writeHead(status).end(JSON.stringify(body)))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

test('nothing that telemetry says is obeyed by the terminal, as text or as JSON', async () => {
  const totals = { durationMs: 1, workMs: 1, queueMs: 0, waitMs: 0 }
  const lists = { traceIds: [], services: [], spans: [], edges: [], hops: [], findings: [] }
  const event = { id: `1${CLEAR}`, type: 't', subject: `order${CLEAR}` }
  await using explorer = await explorerOf(200, { id: `1${CLEAR}`, event, totals, ...lists })
  const asText = await throughline(['journey', '1', '--explorer', explorer.url])
  assert.match(
    asText.stdout,
    /^journey of 1\\x1b\[2J\\x9b\\u202e t {2}subject order\\x1b\[2J\\x9b\\u202e /,
    asText.stderr,
  )
  const asJson = await throughline(['journey', '1', '--explorer', explorer.url, '--json'])
  assert.ok([...CLEAR].every((character) => '[2J'.includes(character) || !asJson.stdout.includes(character)))
  assert.equal(JSON.parse(asJson.stdout).eventId, `1${CLEAR}`)
})

test('nor what stands in an error', async () => {
  await using explorer = await explorerOf(500, { detail: `no${CLEAR}` })
  const { code, stderr } = await throughline(['journey', '1', '--explorer', explorer.url])
  assert.equal(code, 1)
  assert.match(stderr, /answered 500: no\\x1b\[2J\\x9b\\u202e/)
})
