import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { startAdmin } from '../src/admin.ts'
import type { RouteStatus } from '../src/route.ts'

const STATUS: RouteStatus = {
  name: 'r',
  path: 'from http /events to kafka t',
  state: 'running',
  ready: true,
  source: 'connected',
  target: 'connected',
  forwarded: 3,
  retried: 0,
  deadLettered: 0,
  dropped: 0,
  rejected: 0,
}

async function admin(t: TestContext, statuses: () => RouteStatus[], isDraining = () => false) {
  const { address, close } = await startAdmin({ host: '127.0.0.1', port: 0 }, { statuses, isDraining })
  t.after(close)
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${address.port}${path}`, init)
}

test('liveness does not depend on brokers, readiness on every route', async (t) => {
  let status: RouteStatus = STATUS
  let draining = false
  const get = await admin(
    t,
    () => [status],
    () => draining,
  )
  assert.equal((await get('/readyz')).status, 200)
  status = { ...STATUS, ready: false, state: 'stopped', reason: 'stopped at t[0]@7: why' }
  const answer = await get('/readyz')
  assert.equal(answer.status, 503)
  assert.deepEqual(await answer.json(), {
    ready: false,
    routes: {
      r: { ready: false, state: 'stopped', source: 'connected', target: 'connected', reason: status.reason },
    },
  })
  assert.equal((await get('/livez')).status, 200)
  status = STATUS
  draining = true
  assert.equal((await get('/readyz')).status, 503)
})

test('the states of the routes are shown; nothing else is there and nothing can be changed', async (t) => {
  const get = await admin(t, () => [STATUS])
  assert.deepEqual(await (await get('/routes?x=1')).json(), [STATUS])
  assert.equal((await get('/')).status, 404)
  assert.equal((await get('/routes', { method: 'POST', body: 'x' })).status, 405)
  assert.equal((await get('/routes', { method: 'HEAD' })).status, 200)
})

test('a port that is taken is one clear sentence', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const bound = other.address()
  assert.ok(typeof bound === 'object' && bound !== null)
  await assert.rejects(
    startAdmin({ host: '127.0.0.1', port: bound.port }, { statuses: () => [], isDraining: () => false }),
    {
      code: 'TL_ADMIN_LISTEN',
      message: /^the admin server cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    },
  )
})
