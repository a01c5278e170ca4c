import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError } from '@throughline/core'
import { matches, validateFilter, validateShare, validateTopic } from '../src/topic.ts'

for (const [filter, topic, expected] of [
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/', true],
  ['+/+', '/a', true],
  ['+', '/a', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '$SYS/broker', false],
  ['+/broker', '$SYS/broker', false],
  ['$SYS/#', '$SYS/broker', true],
  ['sensors/+/reading', 'sensors/7/reading', true],
  ['sensors/+/reading', 'sensors/7/8/reading', false],
] as const) {
  test(`${filter} ${expected ? 'matches' : 'does not match'} ${topic}`, () => {
    assert.equal(matches(filter, topic), expected)
  })
}

for (const topic of ['', 'a/+', 'a/#', 'a\0b', 'a\tb', '\uffff', '$SYS/x', '\ud800', 'é'.repeat(32_768)]) {
  test(`${JSON.stringify(topic.slice(0, 12))} (${topic.length} characters) cannot be published to`, () => {
    assert.throws(() => validateTopic(topic), PermanentError)
  })
}

test('a topic may have 65,535 bytes and any other character', () => {
  validateTopic('a'.repeat(65_535))
  validateTopic('/räume/21 °C/$x')
})

for (const filter of ['', 'a/#/b', 'a#', 'a/b+', 'a\0']) {
  test(`${JSON.stringify(filter)} cannot be subscribed to`, () => {
    assert.throws(() => validateFilter(filter), PermanentError)
  })
}

for (const filter of ['#', '+', 'a/+/b/#', '$SYS/#', '/']) {
  test(`${filter} can be subscribed to`, () => validateFilter(filter))
}

test('a share may not have separators or wildcards', () => {
  validateShare('workers')
  for (const share of ['', 'a/b', 'a+', '#']) assert.throws(() => validateShare(share), PermanentError)
})
