import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEvent, type Header, type Message } from '@throughline/core'
import fc from 'fast-check'
import { structuredBinding } from '../src/binding.ts'
import { unwrap, wrap } from '../src/envelope.ts'

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const CONTEXT: readonly Header[] = [
  ['traceparent', TRACEPARENT],
  ['tracestate', 'a=1'],
  ['baggage', 'k=v'],
]
const event = createEvent({ id: '1', source: '/s', type: 't', data: { celsius: 21.5 } })

function raw(text: string | Uint8Array, rest: Partial<Message> = {}): Message {
  return { body: Buffer.from(text), headers: [], ...rest }
}

function payload({ body }: Message): string {
  return Buffer.from(body ?? []).toString()
}

/** Whether a message is read as it came. */
function isUntouched(message: Message): boolean {
  const read = unwrap(message)
  return payload(read) === payload(message) && read.contentType === message.contentType
}

test('an event is written beside its context, in its JSON form', () => {
  const message = structuredBinding.encode(event, { mode: 'binary' })
  const wrapped = wrap({
    ...message,
    headers: [...CONTEXT, ['throughline-sent-at', '1'], ['twice', 'a'], ['twice', 'b']],
  })
  assert.deepEqual(JSON.parse(payload(wrapped)), {
    traceparent: TRACEPARENT,
    tracestate: 'a=1',
    baggage: 'k=v',
    headers: { 'throughline-sent-at': '1', twice: ['a', 'b'] },
    event,
  })
  assert.deepEqual(wrapped.headers, [])
})

test('text is data, bytes that are none are data_base64, and their content type is a header', () => {
  const contentType = 'text/plain'
  assert.equal(
    payload(wrap(raw('grün', { contentType }))),
    '{"headers":{"content-type":"text/plain"},"data":"grün"}',
  )
  assert.equal(payload(wrap(raw(Uint8Array.of(255)))), '{"data_base64":"/w=="}')
  assert.equal(payload(wrap(raw(''))), '{"data":""}')
})

test('a message without a body stays one: an empty payload deletes a retained message', () => {
  const message: Message = { body: null, headers: [...CONTEXT] }
  assert.equal(wrap(message), message)
})

test('bytes that only say that they are an event are data', () => {
  for (const body of ['{', '[]', '{}', '1', '{"specversion":"1.0"},"data":1']) {
    const message = raw(body, { contentType: 'application/cloudevents+json' })
    assert.deepEqual(unwrap(wrap(message)), { ...message, body: new Uint8Array(message.body ?? []) })
  }
})

test('any message comes out of the envelope as it went in', () => {
  const names = fc.oneof(
    fc.constantFrom('a-b', '__proto__', 'Content-Typ', '7', 'b3'),
    fc.string({ unit: 'binary' }),
  )
  const free = names.filter((name) => !/^(traceparent|tracestate|baggage|content-type)$/i.test(name))
  const others = fc.uniqueArray(fc.tuple(free, fc.string({ unit: 'binary' })), { selector: ([name]) => name })
  const bodies = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
  )
  const types = fc.option(fc.constantFrom('text/plain', 'application/json', 'application/cloudevents+json'), {
    nil: undefined,
  })
  fc.assert(
    fc.property(bodies, others, types, fc.boolean(), (body, headers, contentType, hasContext) => {
      const message: Message = {
        body,
        headers: [...(hasContext ? CONTEXT : []), ...headers],
        ...(contentType === undefined ? {} : { contentType }),
      }
      const read = unwrap(wrap(message))
      const sorted = (all: readonly Header[]) => [...all].sort()
      assert.deepEqual(Buffer.from(read.body ?? []), Buffer.from(body))
      assert.equal(read.contentType, contentType)
      assert.deepEqual(sorted(read.headers), sorted(message.headers))
    }),
  )
})

test('header values that are bytes are base64 under the name + -b64', () => {
  const { headers } = unwrap(wrap(raw('x', { headers: [['x', Uint8Array.of(255)]] })))
  assert.deepEqual(headers, [['x-b64', '/w==']])
})

test('two contexts stay two: what is invalid in headers is not made valid', () => {
  const two: readonly Header[] = [
    ['traceparent', TRACEPARENT],
    ['Traceparent', TRACEPARENT],
  ]
  assert.deepEqual(unwrap(wrap(raw('x', { headers: two }))).headers, [
    ['traceparent', `${TRACEPARENT},${TRACEPARENT}`],
  ])
})

test('the context of a JSON object that is no envelope is read, and its bytes stay', () => {
  const message = raw(`{ "traceparent": "${TRACEPARENT}", "celsius": 21.50 }`, {
    contentType: 'application/json',
  })
  assert.deepEqual(unwrap(message), { ...message, headers: [['traceparent', TRACEPARENT]] })
})

test('an event’s own traceparent is its origin and never the hop’s context', () => {
  const message = structuredBinding.encode({ ...event, traceparent: TRACEPARENT }, { mode: 'structured' })
  assert.equal(unwrap(message), message)
})

test('the data of an event in binary mode is never taken for an envelope', () => {
  const attributes: Header[] = [
    ['specversion', '1.0'],
    ['id', '1'],
    ['source', '/s'],
    ['type', 't'],
  ]
  for (const text of [
    '{"data":21.5}',
    '{"event":{"specversion":"1.0"}}',
    `{"traceparent":"${TRACEPARENT}"}`,
  ]) {
    const message = raw(text, { headers: attributes, contentType: 'application/json' })
    assert.deepEqual(unwrap(message), message, text)
  }
})

test('an envelope with an event is one whatever else stands in it', () => {
  const read = unwrap(raw(JSON.stringify({ event, device: 7 })))
  assert.deepEqual(structuredBinding.decode(read), { ...event })
})

test('data by hand may be any JSON value, which then is JSON', () => {
  const read = unwrap(raw(`{"traceparent":"${TRACEPARENT}","data":{"n":12345678901234567890}}`))
  assert.deepEqual([payload(read), read.contentType], ['{"n":12345678901234567890}', 'application/json'])
})

test('the content type of data by hand is read in any case', () => {
  const read = unwrap(raw('{"headers":{"Content-Type":"text/csv","x":"1"},"data":"a,b"}'))
  assert.deepEqual([payload(read), read.contentType, read.headers], ['a,b', 'text/csv', [['x', '1']]])
})

test('a context in the message’s own properties wins over that in the payload', () => {
  const read = unwrap(raw(`{"traceparent":"x","data":"1"}`, { headers: [['traceparent', TRACEPARENT]] }))
  assert.deepEqual([read.headers, payload(read)], [[['traceparent', TRACEPARENT]], '1'])
})

for (const text of [
  ...[
    '',
    ' ',
    '{',
    '[1]',
    '21.5',
    '{}',
    '{"data":1,"other":2}',
    '{"data":"a","data_base64":"YQ=="}',
    '{"event":"door"}',
  ],
  ...['{"event":{"name":"door"}}', '{"data_base64":"*"}', '{"data_base64":7}', '{"data":\uD800}'],
  `{"event":${'{"specversion":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
]) {
  test(`${text.slice(0, 40)} is no envelope and stays as it is`, () => assert.ok(isUntouched(raw(text))))
}

test('bytes that are not UTF-8 are no envelope', () => {
  assert.ok(isUntouched(raw(Buffer.from('{"data":"\xff"}', 'latin1'))))
})

test('headers that are no text, or name the context, are left out', () => {
  const headers = { a: 1, b: ['x', 2, 'y'], traceparent: TRACEPARENT, c: null }
  assert.deepEqual(unwrap(raw(JSON.stringify({ headers, data: '' }))).headers, [
    ['b', 'x'],
    ['b', 'y'],
  ])
})
