import assert from 'node:assert/strict'
import { test } from 'node:test'
import { visible, visibleJson, visibleLines } from '../src/escape.ts'

test('what a terminal would obey is written as its code point', () => {
  assert.equal(visible('\x1b[2J\x9b31m\x7f\r\n\t'), '\\x1b[2J\\x9b31m\\x7f\\x0d\\x0a\\x09')
  assert.equal(visible('a\u202eb\u2066c\u200bd\u2028e\ufeff'), 'a\\u202eb\\u2066c\\u200bd\\u2028e\\ufeff')
  assert.equal(visible('\ud800x\u{e0041}'), '\\ud800x\\u{e0041}')
})

test('what people write stays', () => {
  for (const text of ['Zürich, 東京', '👩‍🔬', 'क्‍ष', '"quoted" \\ and more']) assert.equal(visible(text), text)
})

test('text of several lines keeps its line feeds and tabs, and no carriage return', () => {
  assert.equal(visibleLines('a\n\tb\r\n\x1b]0;x\x07'), 'a\n\tb\\x0d\n\\x1b]0;x\\x07')
})

test('JSON stays JSON with the same value', () => {
  const value = { 'a\x9b\u202e': '\x1b\x7f\u{e0041}\u2028', b: 'ä' }
  const text = visibleJson(JSON.stringify(value))
  assert.doesNotMatch(text, /[^\x20-\x7eä]/)
  assert.deepEqual(JSON.parse(text), value)
})
