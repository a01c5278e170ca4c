import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventOf, eventOfLine } from '../../src/send/event.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('an event of the command line', () => {
  test('has nothing that was not given but id and source', () => {
    const { id, ...rest } = eventOf({ type: 't' }, undefined)
    assert.match(id, /^[0-9a-f-]{36}$/)
    assert.deepEqual(rest, { specversion: '1.0', source: '/throughline/send', type: 't' })
  })

  test('keeps JSON as it is written, and text as text', () => {
    const json = bytes('{ "n": 12345678901234567890 }')
    const { data, datacontenttype } = eventOf({ type: 't' }, { bytes: json, guessedType: 'application/json' })
    assert.equal(data, json)
    assert.equal(datacontenttype, 'application/json')
    assert.equal(eventOf({ type: 't' }, { bytes: bytes('hi'), guessedType: 'text/plain' }).data, 'hi')
    const given = eventOf({ type: 't', datacontenttype: 'image/png' }, { bytes: json, guessedType: 'x/y' })
    assert.deepEqual([given.datacontenttype, given.data], ['image/png', json])
  })

  test('happened now where that is asked for', () => {
    const { time } = eventOf({ type: 't', time: 'now' }, undefined)
    assert.ok(Math.abs(Date.parse(time ?? '') - Date.now()) < 60_000)
  })

  test('that is not valid is refused by the attribute’s name', () => {
    assert.throws(() => eventOf({}, undefined), { attribute: 'type' })
    assert.throws(() => eventOf({ type: 't', time: 'soon' }, undefined), { attribute: 'time' })
    assert.throws(() => eventOf({ type: 't', 'Bad-name': 'x' }, undefined), { attribute: 'Bad-name' })
    assert.throws(() => eventOf({ type: 't' }, { bytes: bytes('{'), guessedType: 'application/json' }), {
      attribute: 'data',
    })
  })
})

test('a line’s own members go before what the command line gives', () => {
  const event = eventOfLine({ type: 't', source: '/given' }, bytes('{"id":"1","source":"/own","data":[1]}'))
  assert.deepEqual(event, { specversion: '1.0', id: '1', source: '/own', type: 't', data: [1] })
  assert.throws(() => eventOfLine({ type: 't' }, bytes('[]')), { code: 'TL_EVENT_INVALID' })
  assert.throws(() => eventOfLine({ type: 't' }, bytes('{')), { code: 'TL_EVENT_INVALID' })
})
