import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventReader } from '../../src/api/events.ts'

const stream = [
  'retry: 2000\n\n',
  ': still here\n\n',
  'event: journey\ndata: {"id":"1"}\n\n',
  'event:journey\r\ndata:two\r\ndata: lines\r\n\r\n',
  'data: plain\rid: 7\r\r',
  'event: nothing\n\n',
  'data\n\n',
  'event: journey\ndata: a: b\n\n',
].join('')
const events = [
  { type: 'journey', data: '{"id":"1"}' },
  { type: 'journey', data: 'two\nlines' },
  { type: 'message', data: 'plain' },
  { type: 'message', data: '' },
  { type: 'journey', data: 'a: b' },
]

test('events are read as they were sent, wherever the stream is cut', () => {
  assert.deepEqual(eventReader()(stream), events)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 40 }), (cuts) => {
      const read = eventReader()
      const at = [0, ...cuts.toSorted((a, b) => a - b), stream.length]
      const found = at.flatMap((from, index) => read(stream.slice(from, at[index + 1] ?? stream.length)))
      assert.deepEqual(found, events)
    }),
  )
})

test('an event that is not complete is kept back, and one without an end is refused', () => {
  const read = eventReader()
  assert.deepEqual(read('data: half'), [])
  assert.deepEqual(read('\n'), [])
  assert.deepEqual(read('\n'), [{ type: 'message', data: 'half' }])
  const piece = 'x'.repeat(400_000)
  assert.throws(() => [read(piece), read(piece), read(piece)], RangeError)
})
