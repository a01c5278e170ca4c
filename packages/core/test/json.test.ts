import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJsonEvent, InvalidEventError, joinJsonBatch, splitJsonBatch } from '@throughline/core'

const bytes = (text: string) => new TextEncoder().encode(text)
const split = (text: string) => splitJsonBatch(bytes(text)).map((member) => Buffer.from(member).toString())

test('a batch is taken apart by the byte, whatever its members are', () => {
  for (const members of [
    [],
    ['{}'],
    ['{"a":1.10,"b":1e400,"c":9007199254740993}'],
    ['{"a":"],[{\\\\"}', '{"b":"\\\\\\""}', '{"c":"\\u005d]"}'],
    ['[[1,2],{"a":[3,4]}]', '[]', '{"a":[{"b":[[]]}]}'],
    ['1', '"two, ]"', 'null', 'true', '-3.5e-7'],
    ['{"ä":"😀 ] € ,"}', '{"\\ud83d":"\\""}'],
  ]) {
    assert.deepEqual(split(`[${members.join(',')}]`), members)
    assert.deepEqual(split(` \n[ \t${members.join(' ,\r\n ')}\n ] `), members)
    assert.deepEqual(split(Buffer.from(joinJsonBatch(members.map(bytes))).toString()), members)
  }
})

test('what is no JSON array is named', () => {
  for (const text of ['', '{', '[', '[1,]', '[1 2]', '[1]]', '{}', '"[]"', 'null', '[{"a":}]', '[\u00a01]']) {
    assert.throws(
      () => split(text),
      (error) => error instanceof InvalidEventError && error.attribute === 'body',
      text,
    )
  }
  assert.throws(() => splitJsonBatch(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d)), { attribute: 'body' })
})

test('a member that is no event spoils no other', () => {
  const event = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":[1,{"a":"]"}]}'
  const [good, bad, also] = splitJsonBatch(bytes(`[${event},7,${event}]`))
  assert.ok(good && bad && also)
  assert.deepEqual(decodeJsonEvent(good), decodeJsonEvent(also))
  assert.throws(() => decodeJsonEvent(bad), { attribute: 'body' })
})

test('a deep or long batch is taken apart in one pass', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  assert.ok(split(`[${deep}]`)[0] === deep)
  const many = Array.from({ length: 100_000 }, (_, i) => `"${'\\\\'.repeat(4)}${i}"`)
  assert.ok(split(`[${many.join(',')}]`).join() === many.join())
})

test('a member called __proto__ is an attribute that is not valid, and nobody’s prototype', () => {
  for (const text of [
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","__proto__":{"subject":"x"}}',
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","__proto__":"x"}',
    '{"__proto__":{"specversion":"1.0","id":"1","source":"/s","type":"t"}}',
  ]) {
    assert.throws(() => decodeJsonEvent(bytes(text)), InvalidEventError, text)
  }
})
