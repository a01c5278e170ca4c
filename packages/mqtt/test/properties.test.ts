import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Header, type Message, PermanentError } from '@throughline/core'
import { messageOf, propertiesOf } from '../src/properties.ts'

const none: Message = { body: null, headers: [] }

/** What a receiver gets of a message, without the wire between. */
function received(message: Message): Message {
  const properties = propertiesOf(message)
  return messageOf({
    cmd: 'publish',
    topic: 't',
    payload: Buffer.from(message.body ?? []),
    qos: 1,
    retain: false,
    dup: false,
    properties,
  })
}

test('headers keep order and duplicates of one name', () => {
  const headers: Header[] = [
    ['b', '1'],
    ['a', '2'],
    ['b', '3'],
    ['B', '4'],
  ]
  assert.deepEqual(received({ ...none, headers }).headers, [
    ['b', '1'],
    ['b', '3'],
    ['a', '2'],
    ['B', '4'],
  ])
})

test('a header may be called as a member of Object is', () => {
  const headers: Header[] = [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]
  assert.deepEqual(received({ ...none, headers }).headers, headers)
})

test('bytes and text that MQTT forbids are base64 under the name + -b64', () => {
  const headers: Header[] = [
    ['raw', Uint8Array.of(255, 0, 1)],
    ['nul', 'a\0b'],
    ['lines', 'a\nb'],
    ['', 'empty name'],
  ]
  assert.deepEqual(received({ ...none, headers }).headers, [
    ['raw-b64', '/wAB'],
    ['nul-b64', Buffer.from('a\0b').toString('base64')],
    ['lines-b64', Buffer.from('a\nb').toString('base64')],
    ['', 'empty name'],
  ])
})

test('correlation id, reply-to, expiry and content type are properties both ways', () => {
  const message: Message = {
    ...none,
    contentType: 'text/plain',
    properties: { correlationId: 'ünique', replyTo: 'answers/1', expiryMs: 2000 },
  }
  assert.deepEqual(propertiesOf(message), {
    contentType: 'text/plain',
    correlationData: Buffer.from('ünique'),
    responseTopic: 'answers/1',
    messageExpiryInterval: 2,
  })
  assert.deepEqual(received(message), { ...message, body: Buffer.alloc(0) })
})

test('an expiry is rounded up to whole seconds and never 0', () => {
  for (const [expiryMs, seconds] of [
    [0, 1],
    [1, 1],
    [1001, 2],
    [Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ] as const) {
    assert.equal(propertiesOf({ ...none, properties: { expiryMs } }).messageExpiryInterval, seconds)
  }
})

test('correlation data that is not text comes as a header', () => {
  const message = messageOf({
    cmd: 'publish',
    topic: 't',
    payload: Buffer.alloc(0),
    qos: 0,
    retain: false,
    dup: false,
    properties: { correlationData: Buffer.from([255, 254]) },
  })
  assert.deepEqual(message.headers, [['correlation-data-b64', '//4=']])
  assert.equal(message.properties, undefined)
})

test('what does not fit MQTT is refused by name', () => {
  const long = 'x'.repeat(65_536)
  for (const [message, named] of [
    [{ ...none, headers: [['big', long]] }, /"big".*65535/],
    [{ ...none, headers: [[long, 'x']] }, /header name.*65535/],
    [{ ...none, headers: [['a\0', 'x']] }, /header name/],
    [{ ...none, contentType: long }, /content type/],
    [{ ...none, contentType: 'a\0' }, /content type/],
    [{ ...none, properties: { correlationId: '\ud800' } }, /correlation id/],
    [{ ...none, properties: { replyTo: 'a/+' } }, /a\/\+/],
  ] as const) {
    assert.throws(
      () => propertiesOf(message),
      (error) => error instanceof PermanentError && named.test(error.message),
    )
  }
})
