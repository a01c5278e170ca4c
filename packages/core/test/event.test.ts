import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEvent, InvalidEventError, validateEvent } from '@throughline/core'

const valid = { specversion: '1.0', id: '1', source: '/s', type: 't' }

function faultOf(event: Record<string, unknown>): string {
  try {
    validateEvent(event)
    return 'valid'
  } catch (error) {
    assert.ok(error instanceof InvalidEventError)
    assert.equal(error.code, 'TL_EVENT_INVALID')
    return `${error.attribute} ${error.section}`
  }
}

describe('a new event', () => {
  test('gets an id and a specversion and nothing else', () => {
    const event = createEvent({ type: 't', source: '/s', data: { a: 1 } })
    assert.deepEqual(Object.keys(event).sort(), ['data', 'id', 'source', 'specversion', 'type'])
    assert.match(event.id, /^[0-9a-f-]{36}$/)
  })

  test('keeps the id that it was given', () => {
    assert.equal(createEvent({ id: 'mine', type: 't', source: '/s' }).id, 'mine')
  })

  test('is refused where an attribute is not valid', () => {
    assert.throws(() => createEvent({ type: '', source: '/s' }), { attribute: 'type' })
  })
})

describe('validation names the attribute and the section', () => {
  for (const name of ['id', 'source', 'specversion', 'type']) {
    test(`${name} is required`, () => {
      assert.equal(faultOf({ ...valid, [name]: undefined }), `${name} CloudEvents 1.0.2 §3.1 ${name}`)
      assert.equal(faultOf({ ...valid, [name]: '' }), `${name} CloudEvents 1.0.2 §3.1 ${name}`)
      assert.equal(faultOf({ ...valid, [name]: 5 }), `${name} CloudEvents 1.0.2 §3.1 ${name}`)
    })
  }

  const refused: [why: string, attributes: Record<string, unknown>, name: string, section?: string][] = [
    ['another specversion', { specversion: '0.3' }, 'specversion'],
    ['an empty subject', { subject: '' }, 'subject'],
    ['a source with a space', { source: 'a b' }, 'source'],
    ['a source with a broken percent-encoding', { source: '/%zz' }, 'source'],
    ['a relative dataschema', { dataschema: '/schema' }, 'dataschema'],
    ['a time without an offset', { time: '2024-01-01T00:00:00' }, 'time'],
    ['the 30th of February', { time: '2024-02-30T00:00:00Z' }, 'time'],
    ['the 29th of February in a common year', { time: '1900-02-29T00:00:00Z' }, 'time'],
    ['hour 24', { time: '2024-01-01T24:00:00Z' }, 'time'],
    ['an offset of 24 hours', { time: '2024-01-01T00:00:00+24:00' }, 'time'],
    ['a content type that is no media type', { datacontenttype: 'json' }, 'datacontenttype'],
    ['an upper-case extension name', { Tenant: 'a' }, 'Tenant', '§2.3'],
    ['an extension name with a hyphen', { 'a-b': 'a' }, 'a-b', '§2.3'],
    ['a null extension', { tenant: null }, 'tenant', '§2.4'],
    ['an object as extension', { tenant: {} }, 'tenant', '§2.4'],
    ['a fraction as extension', { n: 1.5 }, 'n', '§2.4'],
    ['an integer beyond 32 bits', { n: 2 ** 31 }, 'n', '§2.4'],
    ['a control character', { subject: 'a\u0000b' }, 'subject', '§2.4'],
    ['half of a surrogate pair', { subject: 'a\ud800b' }, 'subject', '§2.4'],
    ['a noncharacter', { tenant: 'a\uffff' }, 'tenant', '§2.4'],
    ['a noncharacter of another plane', { id: 'a\u{1fffe}' }, 'id', '§2.4'],
    ['half of a surrogate pair in a source', { source: '/\ud800' }, 'source'],
    ['a noncharacter in a source', { source: '/\ufffe' }, 'source'],
    ['half of a surrogate pair in a dataschema', { dataschema: 'a:\udc00' }, 'dataschema'],
    ['a line break in a content type', { datacontenttype: 'text/plain;a=\n' }, 'datacontenttype'],
    ['a line break before its parameters', { datacontenttype: 'text/plain\n;a=b' }, 'datacontenttype'],
    [
      'half of a surrogate pair in a content type',
      { datacontenttype: 'text/plain;\ud800' },
      'datacontenttype',
    ],
    ['an id with a line break', { id: 'a\n' }, 'id', '§2.4'],
    ['a subject that is no string', { subject: true }, 'subject'],
    ['a null subject', { subject: null }, 'subject'],
    ['an empty dataschema', { dataschema: '' }, 'dataschema'],
    ['an empty time', { time: '' }, 'time'],
    ['a time that is a Date', { time: new Date(0) }, 'time'],
    ['month 13', { time: '2024-13-01T00:00:00Z' }, 'time'],
    ['day 0', { time: '2024-01-00T00:00:00Z' }, 'time'],
    ['minute 60', { time: '2024-01-01T00:60:00Z' }, 'time'],
    ['second 61', { time: '2024-01-01T00:00:61Z' }, 'time'],
    ['a fraction without digits', { time: '2024-01-01T00:00:00.Z' }, 'time'],
    ['a date alone', { time: '2024-01-01' }, 'time'],
    ['an empty content type', { datacontenttype: '' }, 'datacontenttype'],
    ['a content type that is no string', { datacontenttype: 5 }, 'datacontenttype'],
    ['an extension without a name', { '': 'a' }, '', '§2.3'],
    ['an extension name of other letters', { grösse: 'a' }, 'grösse', '§2.3'],
    ['an array as extension', { tenant: [] }, 'tenant', '§2.4'],
    ['a bigint as extension', { n: 1n }, 'n', '§2.4'],
    ['a number that is none as extension', { n: Number.NaN }, 'n', '§2.4'],
    ['an integer below 32 bits', { n: -(2 ** 31) - 1 }, 'n', '§2.4'],
    [
      'bytes under the name that the JSON format has for them',
      { data_base64: 'AA==' },
      'data_base64',
      '§2.3',
    ],
  ]
  for (const [why, attributes, name, section = `§3.1 ${name}`] of refused) {
    test(`${why} is refused`, () =>
      assert.equal(faultOf({ ...valid, ...attributes }), `${name} CloudEvents 1.0.2 ${section}`))
  }

  const accepted: [what: string, attributes: Record<string, unknown>][] = [
    ['a leap second with nanoseconds and an offset', { time: '2016-12-31T23:59:60.123456789+01:00' }],
    ['the 29th of February in a leap year', { time: '2000-02-29T00:00:00z' }],
    ['a URN as source', { source: 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66' }],
    ['an IRI as source', { source: '/größe' }],
    ['a media type with parameters', { datacontenttype: 'text/plain; charset="utf-8"' }],
    ['a media type with spaces round its parameters', { datacontenttype: 'text/plain ; a=b ' }],
    ['integers, booleans and bytes as extensions', { n: -(2 ** 31), b: false, x: new Uint8Array([1]) }],
    ['an empty extension', { tenant: '' }],
    ['an emoji', { subject: '🌡' }],
  ]
  for (const [what, attributes] of accepted) {
    test(`${what} is accepted`, () => assert.equal(faultOf({ ...valid, ...attributes }), 'valid'))
  }

  test('a long hostile value is cut in the error', () => {
    assert.throws(
      () => validateEvent({ ...valid, time: 'x'.repeat(100_000) }),
      (error) => error instanceof InvalidEventError && error.message.length < 200,
    )
  })
})
