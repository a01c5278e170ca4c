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

  test('names data when JSON or text is not UTF-8, and keeps such bytes under any other type', () => {
    const body = new Uint8Array([0x22, 0xff, 0x22])
    for (const contentType of ['application/json', 'text/plain', 'text/html; charset=utf-8'])
      assert.throws(() => binding.decode({ body, headers: attributes, contentType }), { attribute: 'data' })
    for (const contentType of ['application/xml', 'text/plain; charset=latin1', undefined]) {
      const message: Message = { body, headers: attributes, ...(contentType && { contentType }) }
      assert.deepEqual(binding.decode(message).data, body)
    }
  })

  test('names an attribute that is missing or wrong, whatever header it came in', () => {
    const wrong: [attribute: string, value: string | undefined, section: string][] = [
      ['specversion', '0.3', '§3.1 specversion'],
      ['id', undefined, '§3.1 id'],
      ['source', '', '§3.1 source'],
      ['type', undefined, '§3.1 type'],
      ['time', 'yesterday', '§3.1 time'],
      ['dataschema', '/relative', '§3.1 dataschema'],
      ['subject', '', '§3.1 subject'],
      ['a-b', 'x', '§2.3'],
      ['tenant', 'a\u0000', '§2.4'],
      ['data_base64', 'AA==', '§2.3'],
    ]
    for (const [attribute, value, section] of wrong) {
      const others = attributes.filter(([name]) => name !== `ce_${attribute}`)
      const headers: Header[] = value === undefined ? others : [...others, [`CE_${attribute}`, value]]
      assert.throws(() => binding.decode({ body: null, headers }), {
        attribute,
        section: `CloudEvents 1.0.2 ${section}`,
      })
    }
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

  const JSON_FORMAT = 'CloudEvents JSON event format 1.0.2 §3'
  const whole = { specversion: '1.0', id: '1', source: '/', type: 't' }
  const broken: [why: string, body: string | Uint8Array | object, attribute: string, section: string][] = [
    ['broken JSON', '{', 'body', JSON_FORMAT],
    ['an empty body', '', 'body', JSON_FORMAT],
    ['text that is not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'body', 'CloudEvents 1.0.2 §2.4'],
    ['an array', [], 'body', JSON_FORMAT],
    ['a string', '"event"', 'body', JSON_FORMAT],
    ['null', 'null', 'body', JSON_FORMAT],
    ['no id', { ...whole, id: undefined }, 'id', 'CloudEvents 1.0.2 §3.1 id'],
    ['an id that is null', { ...whole, id: null }, 'id', 'CloudEvents 1.0.2 §3.1 id'],
    ['an id that is a number', { ...whole, id: 1 }, 'id', 'CloudEvents 1.0.2 §3.1 id'],
    [
      'a version that is a number',
      { ...whole, specversion: 1 },
      'specversion',
      'CloudEvents 1.0.2 §3.1 specversion',
    ],
    ['an extension that is an object', { ...whole, a: {} }, 'a', 'CloudEvents 1.0.2 §2.4'],
    ['an extension with a fraction', { ...whole, a: 0.5 }, 'a', 'CloudEvents 1.0.2 §2.4'],
    [
      'an integer beyond 2^53',
      `{"specversion":"1.0","id":"1","source":"/","type":"t","a":9007199254740993}`,
      'a',
      'CloudEvents 1.0.2 §2.4',
    ],
    ['an upper-case name', { ...whole, Tenant: 'a' }, 'Tenant', 'CloudEvents 1.0.2 §2.3'],
    ['both data and data_base64', { ...whole, data: 1, data_base64: '' }, 'data_base64', `${JSON_FORMAT}.1`],
    ['data_base64 that is not base64', { ...whole, data_base64: '*' }, 'data_base64', `${JSON_FORMAT}.1`],
    ['data_base64 that is a number', { ...whole, data_base64: 5 }, 'data_base64', `${JSON_FORMAT}.1`],
  ]
  for (const [why, given, attribute, section] of broken) {
    test(`${why} is refused, the attribute and the section named`, () => {
      const body =
        given instanceof Uint8Array ? given : text(typeof given === 'string' ? given : JSON.stringify(given))
      const message: Message = { body, headers: [], contentType: 'application/cloudevents+json' }
      assert.throws(() => binding.decode(message), { code: 'TL_EVENT_INVALID', attribute, section })
    })
  }

  test('is known by its content type in any case and with parameters', () => {
    const body = text(JSON.stringify(whole))
    for (const contentType of [
      'Application/CloudEvents+JSON',
      'application/cloudevents+json ; charset="UTF-8";a=b',
    ])
      assert.equal(binding.decode({ body, headers: [], contentType }).id, '1')
  })

  test('keeps a JSON string a string, whether its type is JSON or text', () => {
    for (const datacontenttype of ['application/json', 'text/plain', undefined]) {
      const given = { ...event, data: 'a "text"', ...(datacontenttype && { datacontenttype }) }
      for (const mode of ['binary', 'structured'] as const)
        assert.equal(binding.decode(binding.encode(given, { mode })).data, 'a "text"')
    }
  })
})

describe('what is no event', () => {
  test('plain text is an unsupported content type', () => {
    const message: Message = { body: text('hello'), headers: [], contentType: 'text/plain' }
    assert.throws(() => binding.decode(message), UnsupportedContentTypeError)
    assert.equal(binding.isEvent(message), false)
  })

  for (const contentType of [
    'application/cloudevents+avro',
    'application/cloudevents+protobuf; a=b',
    'application/cloudevents-batch+json',
    'application/cloudevents',
  ]) {
    test(`${contentType} is an event, of a format that is not read`, () => {
      // Whatever else the message looks like.
      const body = text('{"specversion":"1.0","id":"1","source":"/","type":"t"}')
      const message: Message = { body, headers: attributes, contentType }
      assert.equal(binding.isEvent(message), true)
      assert.throws(() => binding.decode(message), UnsupportedContentTypeError)
    })
  }

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
