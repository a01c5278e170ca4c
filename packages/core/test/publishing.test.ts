import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asFault, asUnavailable, PermanentError, UnavailableError } from '../src/errors.ts'
import type { Message } from '../src/message.ts'
import { bufferOf, createOpenCalls, noneSent, prepareEach } from '../src/publishing.ts'

const message = (contentType: string): Message => ({ body: null, headers: [], contentType })

test('a message that cannot be prepared is its own error, those beside it are prepared', () => {
  const refused = new PermanentError('too long')
  const [first, second, third] = prepareEach(['a', 'b', 'c'].map(message), ({ contentType }) => {
    if (contentType === 'b') throw refused
    if (contentType === 'c') throw new TypeError('not one of ours')
    return { contentType }
  })
  assert.deepEqual(first, { contentType: 'a' })
  assert.equal(second, refused)
  assert.ok(third instanceof PermanentError && third.cause instanceof TypeError)
})

test('where none could be sent, each has its own error or the one of all', () => {
  const own = new PermanentError('too long')
  const error = new UnavailableError('no connection')
  assert.deepEqual(noneSent([{}, own], error), [
    { ok: false, error },
    { ok: false, error: own },
  ])
})

test('calls are waited for until they have ended, well or badly', async () => {
  const calls = createOpenCalls()
  const good = Promise.withResolvers<number>()
  const bad = Promise.withResolvers<number>()
  const added = calls.add(good.promise)
  const refused = assert.rejects(calls.add(bad.promise), /no/)
  let ended = false
  const waited = calls.ended().then(() => {
    ended = true
  })
  good.resolve(1)
  assert.equal(await added, 1)
  assert.equal(ended, false)
  bad.reject(new Error('no'))
  await Promise.all([refused, waited])
})

test('whatever was thrown is a fault or something to try again; what is ours keeps its code', () => {
  const permanent = new PermanentError('refused', { code: 'TL_REFUSED' })
  const unavailable = new UnavailableError('away')
  assert.equal(asFault(permanent), permanent)
  assert.equal(asFault(unavailable), unavailable)
  assert.ok(asFault('text') instanceof PermanentError)
  assert.equal(asUnavailable(unavailable), unavailable)
  assert.equal(asUnavailable(permanent).code, 'TL_REFUSED')
  assert.equal(asUnavailable(new Error('x')).code, 'TL_UNAVAILABLE')
})

test('a body is a view for the driver, not a copy, and empty where there is none', () => {
  const whole = Uint8Array.of(1, 2, 3, 4)
  const view = bufferOf(whole.subarray(1, 3))
  whole[1] = 9
  assert.deepEqual([...view], [9, 3])
  assert.equal(bufferOf(null).byteLength, 0)
})
