import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type CloudEvent,
  createBinding,
  createEvent,
  type Header,
  InvalidEventError,
  type Message,
  UnsupportedContentTypeError,
} from '@throughline/core'
import fc from 'fast-check'

const binding = createBinding({
  specification: 'test binding',
  headerName: (name) => `ce_${name}`,
  attributeName: (header) => (/^ce_/i.test(header) ? header.slice(3).toLowerCase() : null),
  encodeValue: (text) => text,
  decodeValue: (text) => text,
  absentBody: null,
})
const text = (value: string) => new TextEncoder().encode(value)
const event = createEvent({
  id: '6f1c',
  type: 'com.example.sensor.reading',
  source: '/stations/1',
  subject: 'sensor-001',
  time: '2024-01-01T00:00:00.000000001+01:00',
  datacontenttype: 'application/json',
  data: { celsius: 21.5 },
})
const attributes: readonly Header[] = [
  ['ce_specversion', '1.0'],
  ['ce_id', '1'],
  ['ce_source', '/s'],
  ['ce_type', 't'],
]

describe('binary mode', () => {
  test('has every attribute as a header and the data as the body', () => {
    const message = binding.encode(event, { mode: 'binary' })
    assert.deepEqual(Object.fromEntries(message.headers), {
      ce_specversion: '1.0',
      ce_id: '6f1c',
      ce_type: 'com.example.sensor.reading',
      ce_source: '/stations/1',
      ce_subject: 'sensor-001',
      ce_time: '2024-01-01T00:00:00.000000001+01:00',
    })
    assert.equal(message.contentType, 'application/json')
    assert.deepEqual(message.body, text('{"celsius":21.5}'))
  })

  test('writes integers, booleans and bytes in their canonical text', () => {
    const { headers } = binding.encode(
      { ...event, n: -5, b: true, x: new Uint8Array([255]) },
      { mode: 'binary' },
    )
    const values = Object.fromEntries(headers)
    assert.deepEqual([values.ce_n, values.ce_b, values.ce_x], ['-5', 'true', '/w=='])
  })

  test('keeps absent data absent and null data null', () => {
    const { data: _, ...bare } = event
    const absent = binding.encode({ ...bare }, { mode: 'binary' })
    assert.equal(absent.body, null)
    assert.equal('data' in binding.decode(absent), false)
    const nothing = binding.decode(binding.encode({ ...event, data: null }, { mode: 'binary' }))
    assert.equal(nothing.data, null)
  })

  test('counts the first of a repeated attribute', () => {
    const message: Message = { body: null, headers: [...attributes, ['CE_ID', '2']] }
    assert.equal(binding.decode(message).id, '1')
  })

  test('does not let an attribute reach the prototype', () => {
    const message: Message = { body: null, headers: [...attributes, ['ce___proto__', 'x']] }
    assert.throws(() => binding.decode(message), { attribute: '__proto__' })
  })

  test('names data when the body is not the JSON it says it is', () => {
    const message: Message = { body: text('{'), headers: attributes, contentType: 'application/json' }
    assert.throws(() => binding.decode(message), { attribute: 'data', code: 'TL_EVENT_INVALID' })
  })

  test('takes the key from partitionkey unless one is given', () => {
    const keyed: CloudEvent = { ...event, partitionkey: 'p' }
    assert.equal(binding.encode(keyed, { mode: 'binary' }).key, 'p')
    assert.equal(binding.encode(keyed, { mode: 'structured' }).key, 'p')
    assert.equal(binding.encode(keyed, { mode: 'binary', key: 'k' }).key, 'k')
  })
})

describe('structured mode', () => {
  test('has the whole event in the body', () => {
    const message = binding.encode(event, { mode: 'structured' })
    assert.deepEqual(message.headers, [])
    assert.equal(message.contentType, 'application/cloudevents+json; charset=utf-8')
    assert.deepEqual(JSON.parse(new TextDecoder().decode(message.body ?? undefined)), event)
  })

  test('is taken for an event whose data is an event, as that would be the message in binary mode', () => {
    for (const datacontenttype of [
      'application/cloudevents+json',
      'Application/CloudEvents-batch+json; a=b',
    ]) {
      const outer: CloudEvent = { ...event, datacontenttype, data: { ...event, id: 'inner' } }
      const message = binding.encode(outer, { mode: 'binary' })
      assert.equal(message.contentType, 'application/cloudevents+json; charset=utf-8')
      assert.deepEqual(binding.decode(message), outer)
    }
  })

  test('keeps numbers numbers, and integers beyond 2^53 exact', () => {
    const body = text(
      '{"specversion":"1.0","id":"1","source":"/","type":"t","n":5,"data":{"big":9007199254740993}}',
    )
    const decoded = binding.decode({ body, headers: [], contentType: 'application/cloudevents+json' })
    assert.equal(decoded.n, 5)
    const again = binding.encode(decoded, { mode: 'structured' })
    assert.match(new TextDecoder().decode(again.body ?? undefined), /"big":9007199254740993[,}]/)
    const binary = binding.encode(decoded, { mode: 'binary' })
    assert.equal(new TextDecoder().decode(binary.body ?? undefined), '{"big":9007199254740993}')
  })

  test('reads null members as absent, but null data as null', () => {
    const body = text('{"specversion":"1.0","id":"1","source":"/","type":"t","subject":null,"data":null}')
    const decoded = binding.decode({ body, headers: [], contentType: 'application/cloudevents+json' })
    assert.equal('subject' in decoded, false)
    assert.equal(decoded.data, null)
  })

  test('carries bytes as data_base64', () => {
    const bytes = new Uint8Array([0, 255, 128])
    const message = binding.encode(
      { ...event, datacontenttype: 'application/octet-stream', data: bytes },
      { mode: 'structured' },
    )
    assert.deepEqual(new Uint8Array(binding.decode(message).data as Uint8Array), bytes)
  })

  test('is recognised without any content type by its specversion member', () => {
    const body = text(' {"specversion":"1.0","id":"1","source":"/","type":"t"}')
    assert.equal(binding.isEvent({ body, headers: [] }), true)
    assert.equal(binding.decode({ body, headers: [['x-other', 'a']] }).id, '1')
  })

  const broken: [why: string, body: string, attribute: string][] = [
    ['broken JSON', '{', 'body'],
    ['an array', '[]', 'body'],
    ['no id', '{"specversion":"1.0","source":"/","type":"t"}', 'id'],
    [
      'both data and data_base64',
      '{"specversion":"1.0","id":"1","source":"/","type":"t","data":1,"data_base64":""}',
      'data_base64',
    ],
    [
      'data_base64 that is not base64',
      '{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"*"}',
      'data_base64',
    ],
  ]
  for (const [why, body, attribute] of broken) {
    test(`${why} is refused and named`, () => {
      const message: Message = { body: text(body), headers: [], contentType: 'application/cloudevents+json' }
      assert.throws(() => binding.decode(message), { attribute })
    })
  }
})

describe('what is no event', () => {
  test('plain text is an unsupported content type', () => {
    const message: Message = { body: text('hello'), headers: [], contentType: 'text/plain' }
    assert.throws(() => binding.decode(message), UnsupportedContentTypeError)
    assert.equal(binding.isEvent(message), false)
  })

  test('another event format is an unsupported content type', () => {
    const message: Message = { body: text(''), headers: [], contentType: 'application/cloudevents+avro' }
    assert.throws(() => binding.decode(message), UnsupportedContentTypeError)
  })

  test('a message without attributes misses its specversion', () => {
    assert.throws(() => binding.decode({ body: text('{"a":1}'), headers: [] }), { attribute: 'specversion' })
  })
})

test('whatever the bytes and headers, decoding gives an event or a typed error', () => {
  const name = fc.oneof(
    fc.constantFrom('ce_id', 'ce_source', 'ce_type', 'ce_specversion', 'ce_time', 'CE_x'),
    fc.string(),
  )
  const header = fc.tuple(name, fc.oneof(fc.string(), fc.constant('1.0'), fc.uint8Array()))
  const body = fc.oneof(fc.constant(null), fc.uint8Array(), fc.json().map(text), fc.string().map(text))
  const contentType = fc.option(
    fc.oneof(fc.constantFrom('application/json', 'application/cloudevents+json', 'text/plain'), fc.string()),
    { nil: undefined },
  )
  fc.assert(
    fc.property(fc.array(header, { maxLength: 8 }), body, contentType, (headers, bytes, type) => {
      try {
        binding.decode({ headers, body: bytes, ...(type === undefined ? {} : { contentType: type }) })
      } catch (error) {
        assert.ok(
          error instanceof InvalidEventError || error instanceof UnsupportedContentTypeError,
          String(error),
        )
      }
    }),
    { numRuns: 5000 },
  )
})
