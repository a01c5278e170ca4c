import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headersOf, withHeaders } from '../../src/messages/headers.ts'

const hop = {
  headers: [['traceparent', '00-new']],
  replaces: new Set(['traceparent', 'tracestate', 'baggage']),
} as const

test('text, bytes and lists of them are read, in order; other values are not', () => {
  const bytes = Buffer.from([255])
  const record = {
    a: '1',
    n: 5,
    b: bytes,
    list: ['x', 7, bytes],
    table: { a: 1 },
    none: null,
    undef: undefined,
  }
  assert.deepEqual(headersOf(record), [
    ['a', '1'],
    ['b', bytes],
    ['list', 'x'],
    ['list', bytes],
  ])
})

test('no headers are none', () => {
  for (const none of [undefined, null, {}]) assert.deepEqual(headersOf(none), [])
})

test('what an object inherits is no header of its own', () => {
  assert.deepEqual(headersOf(Object.create({ inherited: 'x' }, {})), [])
})

test('headers are put into a copy, in place of those that they replace, whatever their case', () => {
  const record = Object.freeze({ tenant: 'a', Traceparent: '00-old', tracestate: 'x=1', n: 5 })
  assert.deepEqual(withHeaders(record, hop), { tenant: 'a', n: 5, traceparent: '00-new' })
  assert.equal(record.Traceparent, '00-old')
})

test('a message without headers gets the new ones', () => {
  for (const none of [undefined, null]) assert.deepEqual(withHeaders(none, hop), { traceparent: '00-new' })
})

test('a header may be called __proto__', () => {
  const copy = withHeaders(JSON.parse('{"__proto__":"x"}'), hop)
  assert.deepEqual(Object.entries(copy), [
    ['__proto__', 'x'],
    ['traceparent', '00-new'],
  ])
  assert.equal(Object.getPrototypeOf(copy), Object.prototype)
})
