import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '@throughline/core'
import fc from 'fast-check'
import { decodeRecord, encodeRecord } from '../src/record.ts'

const EMPTY = { length: 0, attributes: 0, timestampDelta: 0n, offsetDelta: 0, key: null, value: null }

function carried(message: Message): Message {
  const { key, value, headers } = encodeRecord(message)
  return decodeRecord({ ...EMPTY, key: key ?? null, value: value ?? null, headers: [...headers] }, 17)
}

test('repeated headers and their order survive', () => {
  const headers: Message['headers'] = [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ]
  assert.deepEqual(carried({ body: null, headers }).headers, headers)
})

test('values are text where they are UTF-8, else bytes; a byte order mark stays', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80])
  const read = carried({
    body: null,
    headers: [
      ['text', 'Grüße'],
      ['bytes', bytes],
      ['bom', '\ufeffx'],
      ['empty', ''],
    ],
  })
  assert.deepEqual(read.headers, [
    ['text', 'Grüße'],
    ['bytes', bytes],
    ['bom', '\ufeffx'],
    ['empty', ''],
  ])
})

test('null names and values are read as empty text', () => {
  const read = decodeRecord(
    {
      ...EMPTY,
      headers: [
        [Buffer.from('h'), null],
        [null, Buffer.from('v')],
      ],
    },
    0,
  )
  assert.deepEqual(read.headers, [
    ['h', ''],
    ['', 'v'],
  ])
})

test('there is one content-type header on the wire when the message has a content type', () => {
  const message = { body: null, headers: [['Content-Type', 'text/html'] as const], contentType: 'text/plain' }
  assert.deepEqual(
    [...encodeRecord(message).headers].map((pair) => pair.map(String)),
    [['content-type', 'text/plain']],
  )
  assert.equal(carried(message).contentType, 'text/plain')
})

test('no body, an empty body, no key and an empty key stay apart', () => {
  assert.equal(carried({ body: null, headers: [] }).body, null)
  assert.deepEqual(carried({ body: new Uint8Array(), headers: [] }).body, Buffer.alloc(0))
  assert.equal('key' in carried({ body: null, headers: [] }), false)
  assert.equal(carried({ body: null, headers: [], key: '' }).key, '')
})

test('the record time is the message time', () => {
  assert.deepEqual(carried({ body: null, headers: [] }).properties, { timestampMs: 17 })
})

test('any body, key and header comes back as it was', () => {
  const bytes = fc.uint8Array({ maxLength: 64 })
  const message = fc.record({
    body: bytes,
    key: bytes,
    headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), bytes)),
  })
  fc.assert(
    fc.property(message, (given) => {
      const headers = given.headers.filter(([name]) => name.toLowerCase() !== 'content-type')
      const record = encodeRecord({ ...given, headers })
      const read = carried({ ...given, headers })
      const again = encodeRecord(read)
      assert.deepEqual(again.value, record.value)
      assert.deepEqual(again.key, record.key)
      assert.deepEqual([...again.headers], [...record.headers])
    }),
  )
})

test('the size counts everything that is sent', () => {
  const { sizeBytes } = encodeRecord({
    body: Buffer.alloc(1000),
    key: 'k'.repeat(100),
    headers: [['n'.repeat(50), 'v'.repeat(50)]],
  })
  assert.ok(sizeBytes >= 1200 && sizeBytes < 1250, String(sizeBytes))
})
