import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { indentJson, showBytes, showText } from '../../src/tail/body.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('JSON is indented', () => {
  test('with digits, escapes and repeated names as they were written', () => {
    const text =
      ' {"n":12345678901234567890.10,"n":1e400,"s":"a\\u0041\\"{}","e":{},"f":[ ],"a":[1,[true,null]]}'
    assert.deepEqual(indentJson(text).split('\n'), [
      '{',
      '  "n": 12345678901234567890.10,',
      '  "n": 1e400,',
      '  "s": "a\\u0041\\"{}",',
      '  "e": {},',
      '  "f": [],',
      '  "a": [',
      '    1,',
      '    [',
      '      true,',
      '      null',
      '    ]',
      '  ]',
      '}',
    ])
  })

  test('and what is none, or is nested to no end, stays as it is', () => {
    for (const text of ['hello', '{"a":', '21.5', `${'['.repeat(1000)}${']'.repeat(1000)}`]) {
      assert.equal(indentJson(text), text)
    }
  })

  test('and means the same', () => {
    const value = { a: [{ b: 'x,y:z' }, [], {}, -0.5], c: null }
    assert.deepEqual(JSON.parse(indentJson(JSON.stringify(value))), value)
  })
})

test('bytes that are not text are a dump, text is not', () => {
  const dump = showBytes(Uint8Array.from([0xff, 0xfe, ...bytes('{"sku":"A-1"}'), 0x1b, 0x41]), 100)
  assert.deepEqual(dump, {
    lines: [
      '00000000  ff fe 7b 22 73 6b 75 22  3a 22 41 2d 31 22 7d 1b  ..{"sku":"A-1"}.',
      '00000010  41                                                A',
    ],
    cut: 0,
  })
  assert.match(showBytes(bytes('a\0b'), 100).lines[0] ?? '', /^00000000 {2}61 00 62 /)
  assert.deepEqual(showBytes(bytes('a\x1b[31m\nb'), 100).lines, ['a\\x1b[31m', 'b'])
})

test('what is longer is cut, and it is said how much', () => {
  assert.deepEqual(showText('x'.repeat(12), 10), { lines: ['x'.repeat(10)], cut: 2 })
  assert.equal(
    showBytes(
      Uint8Array.from({ length: 40 }, () => 0xff),
      32,
    ).lines.length,
    2,
  )
  assert.equal(
    showBytes(
      Uint8Array.from({ length: 40 }, () => 0xff),
      32,
    ).cut,
    8,
  )
  // Half of a surrogate pair reaches no terminal.
  assert.deepEqual(showText('ab😀', 3).lines, ['ab\\ud83d'])
})
