import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Header, type Message, PermanentError } from '@throughline/core'
import { contentHeaderOf, messageOf } from '../src/properties.ts'

const FRAME = 131_072
const header = (message: Partial<Message>, frameMax = FRAME) =>
  contentHeaderOf({ body: null, headers: [], ...message }, frameMax)
const read = (headers: Record<string, unknown>) =>
  messageOf({ body: Buffer.alloc(0), headers }, undefined).headers

/** What is read of what is written. */
function carried(message: Partial<Message>): Message {
  const { contentType, ...rest } = header(message)
  return messageOf({ ...rest, body: Buffer.alloc(0) }, contentType)
}

test('headers come back as they went, duplicates of a name in their order', () => {
  const headers: Header[] = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['ünï', '€ 🎉 "x"\u0000\n'],
    ['empty', ''],
    ['constructor', 'x'],
    ['twice', '1'],
    ['twice', '2'],
    ['long', 'x'.repeat(8192)],
  ]
  assert.deepEqual(carried({ headers }).headers, headers)
})

test('a header that comes once is a plain string on the wire: consumers elsewhere expect no list', () => {
  assert.deepEqual({ ...header({ headers: [['a', '1']] }).headers }, { a: '1' })
  assert.deepEqual(
    {
      ...header({
        headers: [
          ['a', '1'],
          ['a', '2'],
        ],
      }).headers,
    },
    { a: ['1', '2'] },
  )
})

test('CC and BCC are lists always, or the broker would close the channel', () => {
  assert.deepEqual({ ...header({ headers: [['CC', 'audit']] }).headers }, { CC: ['audit'] })
})

test('bytes, and text that is no Unicode, are base64 under the name + -b64', () => {
  const headers: Header[] = [
    ['raw', Uint8Array.of(0, 255)],
    ['half', 'a\ud800'],
  ]
  assert.deepEqual({ ...header({ headers }).headers }, { 'raw-b64': 'AP8=', 'half-b64': 'Ye+/vQ==' })
})

test('properties are mapped both ways; a time is whole seconds, an expiry whole milliseconds', () => {
  const properties = { messageId: 'm', correlationId: 'c', replyTo: 'r', priority: 9 }
  const message = carried({
    contentType: 'text/plain',
    properties: { ...properties, timestampMs: 1_700_000_000_999, expiryMs: 59_999.2 },
  })
  assert.equal(message.contentType, 'text/plain')
  assert.deepEqual(message.properties, { ...properties, timestampMs: 1_700_000_000_000, expiryMs: 60_000 })
})

test('a message without properties gets none, not even the time at which it was sent', () => {
  assert.equal(header({}).timestamp, undefined)
  assert.ok('timestamp' in header({}), 'said, because the driver would fill it in')
  assert.equal(carried({}).properties, undefined)
})

test('content-encoding is a property of its own', () => {
  const headers: Header[] = [['content-encoding', 'gzip']]
  const { contentEncoding, headers: table } = header({ headers })
  assert.equal(contentEncoding, 'gzip')
  assert.deepEqual({ ...table }, {})
  assert.deepEqual(carried({ headers }).headers, headers)
})

test("AMQP's own types are read as text, bytes as text where they are UTF-8", () => {
  const table = {
    int: -5,
    flag: true,
    nothing: null,
    list: ['a', 2],
    'x-death': [{ count: 1, queue: 'q' }],
    text: Buffer.from('é'),
    raw: Buffer.from([255]),
  }
  assert.deepEqual(read(table), [
    ['int', '-5'],
    ['flag', 'true'],
    ['nothing', ''],
    ['list', 'a'],
    ['list', '2'],
    ['x-death', '{"count":1,"queue":"q"}'],
    ['text', 'é'],
    ['raw', Buffer.from([255])],
  ])
})

test("an event's time as a timestamp is read as RFC 3339, its bytes as base64", () => {
  const table = { 'cloudEvents:time': 1_483_228_799, cloudEvents_bin: Buffer.from([0, 255]), time: 5 }
  assert.deepEqual(read(table), [
    ['cloudEvents:time', '2016-12-31T23:59:59Z'],
    ['cloudEvents_bin', 'AP8='],
    ['time', '5'],
  ])
})

test("the broker's count of deliveries and its offset are no headers of the message", () => {
  assert.deepEqual(read({ 'x-delivery-count': 2, 'x-stream-offset': 7, kept: 'x' }), [['kept', 'x']])
})

test('what the driver would cut or choke on is refused by name', () => {
  const refused = (message: Partial<Message>, text: RegExp, frameMax?: number) =>
    assert.throws(
      () => header(message, frameMax),
      (error) => error instanceof PermanentError && text.test(error.message),
    )
  const long = 'x'.repeat(256)
  refused({ contentType: long }, /contentType .* more than the 255 bytes/)
  refused({ properties: { replyTo: long } }, /replyTo/)
  refused({ headers: [[long, '']] }, /name of a header/)
  refused({ properties: { priority: 256 } }, /priority must be from 0 to 255/)
  refused({ properties: { expiryMs: -1 } }, /expiryMs/)
  refused({ properties: { timestampMs: Number.NaN } }, /timestampMs/)
  refused({ headers: [['a', 'x'.repeat(8192)]] }, /one frame of 8192 bytes/, 8192)
})
