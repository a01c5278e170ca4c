import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '@throughline/core'
import { type HttpSubscriberOptions, http } from '@throughline/http'
import { withSpans } from '@throughline/testkit'
import { httpServer, problemCode, rawClient } from './support.ts'

const EVENT = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }

async function receiver(accessToken: NonNullable<HttpSubscriberOptions['accessToken']>) {
  const broker = http({ listen: '127.0.0.1:0' })
  const messages: Message[] = []
  await broker.subscribe({ path: '/hook', accessToken, capture: { headers: 'all' } }, (_, { message }) =>
    messages.push(message),
  )
  const port = broker.address()?.port ?? 0
  const post = (headers: Record<string, string> = {}, query = '') =>
    fetch(`http://127.0.0.1:${port}/hook${query}`, { method: 'POST', headers: { ...EVENT, ...headers } })
  return { broker, port, messages, post, [Symbol.asyncDispose]: () => broker.close() }
}

test('only who brings the token is let in, by header or query', async () => {
  await using hook = await receiver('mF_9.B5f-4.1JqM')
  const token = 'mF_9.B5f-4.1JqM'
  for (const [headers, query, status] of [
    [{ authorization: `Bearer ${token}` }, '', 204],
    [{ authorization: `bearer  ${token} ` }, '?x=1', 204],
    [{}, `?access_token=${token}`, 204],
    [{}, `?x=1&access_token=${token}&y`, 204],
    [{}, '', 401],
    [{}, '?access_token=', 401],
    [{}, `?access_token=${token}x`, 401],
    [{}, `?Access_Token=${token}`, 401],
    [{ authorization: token }, '', 401],
    [{ authorization: `Basic ${token}` }, '', 401],
    [{ authorization: 'Bearer' }, '', 401],
    [{ authorization: `Bearer ${token.slice(1)}` }, '', 401],
    [{ authorization: `Bearer ${token}` }, `?access_token=${token}`, 400],
    [{}, `?access_token=${token}&access_token=${token}`, 400],
  ] as const) {
    const response = await hook.post(headers, query)
    const text = await response.text()
    assert.equal(response.status, status, JSON.stringify([headers, query]))
    assert.equal(response.headers.get('www-authenticate'), status === 401 ? 'Bearer' : null)
    assert.equal(response.headers.get('cache-control'), status === 204 ? 'private' : null)
    assert.ok(!text.includes(token))
  }
  assert.equal(hook.messages.length, 4)
})

test('a token may be exchanged for another while both are in use', async () => {
  await using hook = await receiver(['old', 'nüw %'])
  assert.equal((await hook.post({ authorization: 'Bearer old' })).status, 204)
  assert.equal((await hook.post({}, `?access_token=${encodeURIComponent('nüw %')}`)).status, 204)
  assert.equal((await hook.post({ authorization: 'Bearer older' })).status, 401)
})

test('the token reaches no handler and no span', async () => {
  await withSpans(async (spans) => {
    {
      await using hook = await receiver('s3cret-token')
      await hook.post({ authorization: 'Bearer s3cret-token' })
      await hook.post({}, '?access_token=s3cret-token')
      assert.deepEqual(
        hook.messages.flatMap(({ headers }) =>
          headers.filter(([name]) => name.toLowerCase() === 'authorization'),
        ),
        [],
      )
      assert.ok(!JSON.stringify(hook.messages).includes('s3cret-token'))
    }
    assert.equal(spans.finished().length, 2)
    assert.ok(!JSON.stringify(spans.tree()).includes('s3cret-token'))
  })
})

test('without the token no body is read', async () => {
  await using hook = await receiver('secret')
  const client = rawClient(hook.port)
  client.send('POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n')
  await client.closed
  assert.deepEqual(client.statuses(), [401])
})

test('the same through a handler in a server of one’s own', async () => {
  const broker = http()
  const { fetch } = await broker.handler({ path: '/hook', accessToken: 'secret' }, () => {})
  const post = (query: string) =>
    fetch(new Request(`https://example.com/${query}`, { method: 'POST', headers: EVENT }))
  assert.equal((await post('?access_token=secret')).status, 204)
  const refused = await post('')
  assert.deepEqual([refused.status, await problemCode(refused)], [401, 'TL_TOKEN_INVALID'])
  await broker.close()
})

test('a publisher whose address has a token asks that nothing be stored of the answer', async () => {
  const seen: (string | undefined)[] = []
  await using server = await httpServer((request, response) => {
    seen.push(request.headers['cache-control'])
    response.writeHead(204).end()
  })
  const broker = http()
  await broker.publisher({ url: `${server.url}?access_token=x` }).publish({ type: 't', source: '/s' })
  await broker.publisher({ url: server.url }).publish({ type: 't', source: '/s' })
  await broker.close()
  assert.deepEqual(seen, ['no-store', undefined])
})
