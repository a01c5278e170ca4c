import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, TraceFlags } from '@opentelemetry/api'
import { contextInHands, type Held, letGo, take } from '../../src/messages/in-hands.ts'

function held(spanId: string): Held {
  const spanContext = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId, traceFlags: TraceFlags.SAMPLED }
  const context = ROOT_CONTEXT
  return { context, process: { hop: { context, spanContext, invalid: undefined } } }
}

test('a message is known by its hop from when it is taken until it is let go', () => {
  const message = held('b7ad6b7169203331')
  take(message)
  assert.equal(contextInHands('b7ad6b7169203331'), ROOT_CONTEXT)
  letGo(message)
  assert.equal(contextInHands('b7ad6b7169203331'), undefined)
})

test('of messages that are never let go the oldest are forgotten', () => {
  const id = (index: number) => index.toString(16).padStart(16, '0')
  for (let index = 1; index <= 10_001; index++) take(held(id(index)))
  assert.equal(contextInHands(id(1)), undefined)
  assert.equal(contextInHands(id(2)), ROOT_CONTEXT)
  assert.equal(contextInHands(id(10_001)), ROOT_CONTEXT)
})
