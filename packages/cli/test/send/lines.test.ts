import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf } from '../../src/send/lines.ts'

async function linesIn(...texts: string[]): Promise<[number, string][]> {
  const lines: [number, string][] = []
  for await (const { number, bytes } of linesOf(chunks(...texts), 10)) {
    lines.push([number, Buffer.from(bytes).toString()])
  }
  return lines
}

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

test('lines are found wherever chunks end, and blank ones keep their number', async () => {
  assert.deepEqual(await linesIn('a', 'b\n\n  \r\nc', '\nd\ne'), [
    [1, 'ab'],
    [4, 'c'],
    [5, 'd'],
    [6, 'e'],
  ])
})

test('a line without an end is refused at the limit', async () => {
  await assert.rejects(linesIn('aaaa', 'bbbb', 'cccc'), { code: 'TL_TOO_LARGE' })
})
