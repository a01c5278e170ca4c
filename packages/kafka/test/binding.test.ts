import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEvent, type Header, InvalidEventError, UnsupportedContentTypeError } from '@throughline/core'
import { kafkaBinding } from '@throughline/kafka'
import { decodeRecord, encodeRecord } from '../src/record.ts'

const text = (value: string) => Buffer.from(value)
const event = createEvent({
  id: '6f1c',
  type: 'com.example.sensor.reading',
  source: '/stations/1',
  subject: 'Zürich 100 % "ok"',
  time: '2024-01-01T00:00:00.000000001+01:00',
  datacontenttype: 'application/json',
  partitionkey: 'sensor-001',
  data: { celsius: 21.5 },
})
const attributes: readonly Header[] = [
  ['ce_specversion', '1.0'],
  ['ce_id', '1'],
  ['ce_source', '/s'],
  ['ce_type', 't'],
]

/** Over the wire and back, as the driver carries it. */
function carried(message: Parameters<typeof encodeRecord>[0]) {
  const { key, value, headers } = encodeRecord(message)
  const record = { length: 0, attributes: 0, timestampDelta: 0n, offsetDelta: 0 }
  return decodeRecord({ ...record, key: key ?? null, value: value ?? null, headers: [...headers] }, 17)
}

describe('binary mode', () => {
  test('writes every attribute as a ce_ header without percent-encoding, and the type as content-type', () => {
    const record = encodeRecord(kafkaBinding.encode(event, { mode: 'binary' }))
    assert.deepEqual(Object.fromEntries([...record.headers].map((pair) => pair.map(String))), {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: '6f1c',
      ce_type: 'com.example.sensor.reading',
      ce_source: '/stations/1',
      ce_subject: 'Zürich 100 % "ok"',
      ce_time: '2024-01-01T00:00:00.000000001+01:00',
      ce_partitionkey: 'sensor-001',
    })
    assert.equal(record.key?.toString(), 'sensor-001')
    assert.equal(record.value?.toString(), '{"celsius":21.5}')
  })

  test('comes back as the same event', () => {
    assert.deepEqual(kafkaBinding.decode(carried(kafkaBinding.encode(event, { mode: 'binary' }))), event)
  })

  test('reads the prefix and content-type in any case', () => {
    const headers = attributes.map(([name, value]): Header => [name.toUpperCase(), value])
    const message = carried({ headers: [...headers, ['Content-Type', 'text/plain']], body: text('hot') })
    const read = kafkaBinding.decode(message)
    assert.equal(read.id, '1')
    assert.equal(read.datacontenttype, 'text/plain')
    assert.equal(read.data, 'hot')
  })

  test('has no value where the event has no data, and none comes back', () => {
    const { data: _, datacontenttype: __, ...bare } = event
    const message = carried(kafkaBinding.encode(bare, { mode: 'binary' }))
    assert.equal(message.body, null)
    assert.equal('data' in kafkaBinding.decode(message), false)
  })

  test('an attribute whose header is null reads as empty and is named', () => {
    const record = { length: 0, attributes: 0, timestampDelta: 0n, offsetDelta: 0, key: null, value: null }
    const headers = attributes.map(([name, value]): [Buffer, Buffer | null] => [
      text(name),
      name === 'ce_id' ? null : text(String(value)),
    ])
    assert.throws(
      () => kafkaBinding.decode(decodeRecord({ ...record, headers }, 0)),
      (error) => error instanceof InvalidEventError && error.attribute === 'id',
    )
  })

  test('an explicit key goes before partitionkey, bytes stay bytes', () => {
    const key = Uint8Array.of(0, 255, 128)
    const message = carried(kafkaBinding.encode(event, { mode: 'binary', key }))
    assert.deepEqual(message.key, Buffer.from(key))
  })
})

describe('structured mode', () => {
  test('has the event as its value, says so in content-type, and has no ce_ header', () => {
    const message = kafkaBinding.encode(event, { mode: 'structured' })
    const names = [...encodeRecord(message).headers.keys()].map(String)
    assert.deepEqual(names, ['content-type'])
    assert.match(message.contentType ?? '', /^application\/cloudevents\+json/)
    assert.deepEqual(kafkaBinding.decode(carried(message)), event)
  })

  test('is known without a content type when a hand-written producer sends plain JSON', () => {
    const body = text('{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}')
    assert.equal(kafkaBinding.decode(carried({ headers: [], body })).data, 1)
  })

  test('is known under the type of its data, which the CloudEvents SDK for Python writes', () => {
    const body = text('{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AP8="}')
    for (const contentType of ['text/plain', 'application/octet-stream']) {
      const message = carried({ headers: [], body, contentType })
      assert.equal(kafkaBinding.isEvent(message), true)
      assert.deepEqual(kafkaBinding.decode(message).data, Uint8Array.of(0, 255))
    }
  })

  test('is not looked for where the record has the attributes as headers', () => {
    const body = text('{"specversion":"1.0","id":"2","source":"/s","type":"t"}')
    const read = kafkaBinding.decode(carried({ headers: attributes, body, contentType: 'text/plain' }))
    assert.deepEqual([read.id, read.data], ['1', body.toString()])
  })

  test('text under its own type stays an unsupported content type', () => {
    for (const body of ['hello', '{"a":1}']) {
      const message = carried({ headers: [], body: text(body), contentType: 'text/plain' })
      assert.equal(kafkaBinding.isEvent(message), false)
      assert.throws(() => kafkaBinding.decode(message), UnsupportedContentTypeError)
    }
  })

  test('a type of event that is not JSON is refused as such', () => {
    const message = carried({ headers: [], body: text('x'), contentType: 'application/cloudevents+avro' })
    assert.throws(() => kafkaBinding.decode(message), UnsupportedContentTypeError)
  })
})

test('a tombstone is no event, whatever its key', () => {
  const message = carried({ headers: [], body: null, key: 'order-1' })
  assert.equal(kafkaBinding.isEvent(message), false)
  assert.throws(() => kafkaBinding.decode(message), InvalidEventError)
})
