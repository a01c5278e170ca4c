import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { freePort, serve, throughline } from '../command.ts'

async function listening(args: readonly string[] = []) {
  const url = `http://127.0.0.1:${await freePort()}/events`
  const tail = serve(['tail', url, ...args])
  await tail.printed(/tail: listening at .*; Ctrl-C ends it\n/)
  return { url, tail }
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'text/plain', ...headers } })

test('what is posted is shown and answered 204, and Ctrl-C ends it with exit code 0', async () => {
  const { url, tail } = await listening()
  await using _ = tail
  const sent = await throughline(['send', url, '--type', 't', '--id', '1', '--data', '{"n":1}'])
  assert.equal(sent.stdout, '/events 204  id 1  no trace\n', sent.stderr)
  await tail.printed(
    / {2}\/events {2}queued [\d.]+ m?s\n {2}event {5}t {2}binary\n {12}id 1\n[\s\S]*"n": 1\n/,
  )
  assert.equal((await post(url, 'no event')).status, 204)
  await tail.printed(/ {2}event {5}none\n[\s\S]* {4}no event\n/)
  assert.deepEqual(await tail.end('SIGINT'), { code: 0, signal: null })
})

test('it ends by itself after as many as were asked for, and shows only what matches', async () => {
  const { url, tail } = await listening(['--filter', 'type=b*', '--limit', '2', '--json'])
  await using _ = tail
  const closed = once(tail.child, 'close')
  for (const type of ['a', 'b1', 'c', 'b2']) {
    await post(url, '', { 'ce-specversion': '1.0', 'ce-id': type, 'ce-source': '/s', 'ce-type': type })
  }
  await closed
  assert.equal(tail.child.exitCode, 0)
  const [, first = '', second = ''] = await tail.printed(/(\{.*\})\n(\{.*\})\n$/)
  assert.deepEqual([JSON.parse(first).event.id, JSON.parse(second).event.id], ['b1', 'b2'])
})

test('it ends when nobody reads any more', async () => {
  const { url, tail } = await listening()
  await using _ = tail
  const closed = once(tail.child, 'close')
  tail.child.stdout?.destroy()
  // The first write finds it out, possibly after the answer.
  await post(url, 'x')
  await post(url, 'x').catch(() => undefined)
  await closed
  assert.equal(tail.child.exitCode, 0)
})

test('a port that is taken is one sentence, and exit code 1', async () => {
  const { url, tail } = await listening()
  await using _ = tail
  const { code, stderr } = await throughline(['tail', url])
  assert.equal(code, 1)
  assert.match(stderr, /^throughline: .*(EADDRINUSE|port is taken)/)
})

describe('what cannot be tailed is answered by one sentence and exit code 2', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'another’s server',
      ['http://shop.example/orders'],
      /keeps no messages that could be tailed: tail http:\/\/127\.0\.0\.1:8080/,
    ],
    ['HTTPS', ['https://127.0.0.1/orders'], /keeps no messages/],
    ['a shared subscription', ['mqtt://h/$share/group/a/+'], /others would miss: tail a\/\+ instead/],
    [
      'the past of MQTT',
      ['mqtt://h/a', '--from', 'earliest'],
      /--from means nothing to mqtt:\/\/h\/a: it keeps no/,
    ],
    ['a filter of MQTT that is none', ['mqtt://h/a/#/b'], /may have # only alone/],
    [
      'a queue',
      ['amqp://h/?queue=a'],
      /would miss what is shown here: tail the exchange.*\?stream=a where it is a stream/,
    ],
    [
      'the past of an exchange',
      ['amqp://h/?exchange=a', '--from', 'earliest'],
      /--from means nothing to amqp:/,
    ],
    ['no beginning', ['kafka://h/t', '--from', 'yesterday'], /Expected latest, earliest, a time/],
    ['no filter', ['kafka://h/t', '--filter', 'x'], /--filter expects name=pattern/],
    ['a limit of none', ['kafka://h/t', '--limit', '0'], /Expected a whole number from 1/],
  ]
  for (const [what, args, expected] of cases) {
    test(what, async () => {
      const { code, stdout, stderr } = await throughline(['tail', ...args])
      assert.equal(code, 2, stderr)
      assert.equal(stdout, '')
      assert.match(stderr, expected)
    })
  }
})
