import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, UnavailableError } from '@throughline/core'
import { refusal, retryAfterMs } from '../src/response.ts'

// One of the three forms of a date names no zone, and is UTC all the same.
process.env.TZ = 'Asia/Tokyo'
const NOW = Date.parse('2026-01-01T00:00:00Z')

test('Retry-After is seconds or a date, at most a day', () => {
  for (const [value, waitMs] of [
    [undefined, undefined],
    ['0', 0],
    [' 7 ', 7000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thursday, 01-Jan-26 00:00:30 GMT', 30_000],
    ['Thu Jan  1 00:00:30 2026', 30_000],
    ['Thu Jan  1 00:00:30 2026 +0900', undefined],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['99999999999', 24 * 3600 * 1000],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['2026', 2_026_000],
    ['', undefined],
  ] as const) {
    assert.equal(retryAfterMs(value, NOW), waitMs, String(value))
  }
})

test('408, 425, 429 and 5xx may be tried again, all else may not', () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504, 599]) {
    const error = refusal(status, { 'retry-after': '2' }, '', 'http://h/p')
    assert.ok(error instanceof UnavailableError)
    assert.deepEqual([error.statusCode, error.retryAfterMs], [status, 2000])
  }
  for (const status of [300, 301, 304, 400, 401, 403, 404, 409, 413, 415, 422]) {
    const error = refusal(status, {}, '', 'http://h/p')
    assert.ok(error instanceof PermanentError && !(error instanceof UnavailableError))
    assert.equal(error.statusCode, status)
  }
})

test('the problem’s detail is in the error, else the text, on one line and cut', () => {
  const said = (type: string, body: string) => refusal(400, { 'content-type': type }, body, 'T').message
  assert.equal(said('application/problem+json', '{"detail":"no id"}'), 'T answered 400: no id')
  assert.equal(said('application/problem+json', '{"title":"Bad"}'), 'T answered 400: Bad')
  assert.equal(said('application/json', '[1]'), 'T answered 400: [1]')
  assert.equal(said('application/json', 'broken {'), 'T answered 400: broken {')
  assert.equal(said('text/plain', 'a\r\n\u0007 b'), 'T answered 400: a b')
  assert.equal(said('text/html', '<h1>'), 'T answered 400')
  assert.equal(said('text/plain', 'x'.repeat(9000)).length, 'T answered 400: '.length + 256)
})
