import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEvent, type Header, InvalidEventError, UnsupportedContentTypeError } from '@throughline/core'
import { decodeHeaderValue, encodeHeaderValue, httpBinding } from '@throughline/http'

const bytes = (text: string) => new TextEncoder().encode(text)
const required: Header[] = [
  ['ce-specversion', '1.0'],
  ['ce-id', '1'],
  ['ce-source', '/s'],
  ['ce-type', 't'],
]

test('values are percent-encoded as the examples of the specification say', () => {
  for (const [text, encoded] of [
    ['simple', 'simple'],
    ['Euro € 😀', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
    ['space encoded', 'space%20encoded'],
    ['percent%encoded', 'percent%25encoded'],
    ['quote"encoded', 'quote%22encoded'],
    ['caf\u00e9', 'caf%C3%A9'],
    ['\u0001\t\u007f\u0080', '%01%09%7F%C2%80'],
    ["!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"],
  ] as const) {
    assert.equal(encodeHeaderValue(text), encoded)
    assert.equal(decodeHeaderValue(encoded, 'subject'), text)
  }
})

test('every character survives, and what is written is printable ASCII without space and quote', () => {
  for (let point = 0; point < 0x30000; point += point < 0x3000 ? 1 : 97) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    const text = `a${String.fromCodePoint(point)}b`
    const encoded = encodeHeaderValue(text)
    assert.match(encoded, /^[\x21\x23-\x7e]+$/)
    assert.equal(decodeHeaderValue(encoded, 'subject'), text)
  }
})

test('what other senders write is read: quoted strings, lower-case hex, needless encoding, bare percent signs', () => {
  for (const [encoded, text] of [
    ['%e2%82%ac', '€'],
    ['%41%42', 'AB'],
    ['"a b"', 'a b'],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['"%E2%82%AC"', '€'],
    ['x"a b"y', 'xa by'],
    ['"open', '"open'],
    ['"open\\"', '"open\\"'],
    ['"open\\', '"open\\'],
    ['a "b c" "open\\" d', 'a b c "open\\" d'],
    ['100%', '100%'],
    ['100% %zz %4', '100% %zz %4'],
    ['%2525', '%25'],
  ] as const) {
    assert.equal(decodeHeaderValue(encoded, 'subject'), text)
  }
})

test('a quoted string of escapes that never ends is read in one pass', () => {
  // Searched again from each of its quotes, this would take minutes.
  const endless = `"${'\\"'.repeat(500_000)}`
  assert.equal(decodeHeaderValue(endless, 'subject'), endless)
})

test('encoded bytes that are not UTF-8 are refused, the attribute named', () => {
  for (const encoded of ['%C0%A0', '%FF', '%E2%82', 'a%ED%A0%80b']) {
    assert.throws(
      () => decodeHeaderValue(encoded, 'subject'),
      (error) => error instanceof InvalidEventError && error.attribute === 'subject',
    )
  }
})

test('binary mode is ce- headers, content type apart, data as the body', () => {
  const event = createEvent({
    id: '1',
    source: '/s',
    type: 't',
    subject: 'é',
    data: { a: 1 },
    count: 7,
    flag: true,
    bin: new Uint8Array([255]),
  })
  const message = httpBinding.encode(event, { mode: 'binary' })
  assert.equal(message.contentType, 'application/json')
  assert.deepEqual(Object.fromEntries(message.headers), {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/s',
    'ce-type': 't',
    'ce-subject': '%C3%A9',
    'ce-count': '7',
    'ce-flag': 'true',
    'ce-bin': '/w==',
  })
  assert.equal(new TextDecoder().decode(message.body ?? undefined), '{"a":1}')
})

test('an event without data has an empty body and no content type', () => {
  const message = httpBinding.encode(createEvent({ id: '1', source: '/s', type: 't' }), { mode: 'binary' })
  assert.deepEqual(message.body, new Uint8Array())
  assert.equal(message.contentType, undefined)
  assert.equal('data' in httpBinding.decode(message), false)
})

test('the order key is the partition key, else the subject, else what is given', () => {
  const event = createEvent({ source: '/s', type: 't', subject: 'sub' })
  const key = (more: object, options = {}) =>
    httpBinding.encode({ ...event, ...more }, { mode: 'binary', ...options }).key
  assert.equal(key({}), 'sub')
  assert.equal(key({ partitionkey: 'p' }), 'p')
  assert.equal(key({ partitionkey: 'p' }, { key: 'own' }), 'own')
  assert.equal(
    httpBinding.encode(createEvent({ source: '/s', type: 't' }), { mode: 'binary' }).key,
    undefined,
  )
})

test('header names are read in any case; ce-datacontenttype is not an attribute', () => {
  const event = httpBinding.decode({
    body: bytes('hi'),
    headers: [
      ...required.map(([name, value]): Header => [name.toUpperCase(), value]),
      ['Ce-MyExt', 'x'],
      ['ce-datacontenttype', 'text/html'],
      ['X-Other', 'y'],
    ],
    contentType: 'text/plain',
  })
  assert.deepEqual(event, {
    specversion: '1.0',
    id: '1',
    source: '/s',
    type: 't',
    myext: 'x',
    datacontenttype: 'text/plain',
    data: 'hi',
  })
})

test('a hop context in the headers and an origin in the event stay two things', () => {
  const event = httpBinding.decode({
    body: new Uint8Array(),
    headers: [...required, ['traceparent', 'hop'], ['ce-traceparent', 'origin']],
  })
  assert.equal(event.traceparent, 'origin')
})

test('structured mode goes by the content type, in any case and with parameters', () => {
  const body = bytes('{"specversion":"1.0","id":"2","source":"/s","type":"t","data":{"a":1}}')
  for (const contentType of ['application/cloudevents+json', 'Application/CloudEvents+JSON; charset=utf-8']) {
    const event = httpBinding.decode({ body, headers: required, contentType })
    assert.deepEqual([event.id, event.data], ['2', { a: 1 }])
  }
})

test('a batch is refused in words, before it is taken for a structured event', () => {
  for (const contentType of [
    'application/cloudevents-batch+json; charset=utf-8',
    'Application/CloudEvents-Batch+avro',
  ]) {
    assert.throws(
      () => httpBinding.decode({ body: bytes('[]'), headers: [], contentType }),
      (error) => error instanceof UnsupportedContentTypeError && /one event a message/.test(error.message),
    )
  }
})

test('an invalid attribute is named', () => {
  const headers = required.filter(([name]) => name !== 'ce-id')
  assert.throws(() => httpBinding.decode({ body: null, headers }), {
    code: 'TL_EVENT_INVALID',
    attribute: 'id',
  })
  const bad: Header[] = [...required, ['ce-subject', '%FF']]
  assert.throws(() => httpBinding.decode({ body: null, headers: bad }), { attribute: 'subject' })
})
