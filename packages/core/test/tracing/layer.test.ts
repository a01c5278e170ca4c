import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createContextKey, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { layered } from '../../src/tracing/layer.ts'

const key = (name: string) => createContextKey(`layer test ${name}`)

test('a layered context has the values below it, and those set on it alone', () => {
  const below = ROOT_CONTEXT.setValue(key('below'), 1)
  const empty = layered(below)
  const one = empty.setValue(key('one'), 2)
  const other = one.setValue(key('one'), 3).setValue(key('two'), 4)
  assert.equal(empty.getValue(key('below')), 1)
  assert.equal(empty.getValue(key('one')), undefined)
  assert.equal(one.getValue(key('one')), 2)
  assert.equal(other.getValue(key('one')), 3)
  assert.equal(other.getValue(key('two')), 4)
  assert.equal(other.getValue(key('below')), 1)
  assert.equal(one.getValue(key('two')), undefined)
})

test('a value that was deleted is none, whether it was set on a layer or below', () => {
  const context = layered(ROOT_CONTEXT.setValue(key('below'), 1)).setValue(key('own'), 2)
  const without = context.deleteValue(key('below')).deleteValue(key('own'))
  assert.equal(without.getValue(key('below')), undefined)
  assert.equal(without.getValue(key('own')), undefined)
  assert.equal(context.getValue(key('own')), 2)
})

test("the API's own functions find a span in it", () => {
  const spanContext = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
  const context = trace.setSpanContext(layered(ROOT_CONTEXT), spanContext)
  assert.deepEqual(trace.getSpanContext(context), spanContext)
  assert.equal(trace.getSpan(trace.deleteSpan(context)), undefined)
})

test('a value set again and again, between others, keeps nothing of what it hid', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let context = layered(ROOT_CONTEXT)
  let first: WeakRef<object> | undefined
  for (let step = 0; step < 100; step++) {
    const value = { step }
    first ??= new WeakRef(value)
    context = context.setValue(key('a'), value).setValue(key('b'), step)
  }
  // A weak reference holds what it was made for until its turn has ended.
  await turn()
  collect()
  assert.equal(first?.deref(), undefined)
  assert.deepEqual(context.getValue(key('a')), { step: 99 })
  assert.equal(context.getValue(key('b')), 99)
})
