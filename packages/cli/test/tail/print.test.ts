import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { print } from '../../src/tail/print.ts'

const listeners = (stream: PassThrough) =>
  stream.eventNames().map((name) => [String(name), stream.listenerCount(name)])

test('a reader that is slow is waited for, and nothing listens afterwards', async () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const before = listeners(stream)
  for (let i = 0; i < 20; i++) {
    const printed = print(stream, 'more than fits')
    stream.read()
    await printed
  }
  assert.deepEqual(listeners(stream), before)
})

test('a reader that goes away ends the wait', async () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const printed = print(stream, 'more than fits')
  stream.destroy()
  await printed
  await print(stream, 'to nobody')
})
