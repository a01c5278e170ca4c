import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { errorOf, guarded, guardedHook, warnOnce } from '../src/guard.ts'

/** Warnings are told in a turn of their own, in order. */
async function warningsOf(run: () => void): Promise<string[]> {
  const warnings: string[] = []
  const warned = (warning: Error) => warnings.push(warning.message)
  process.on('warning', warned)
  run()
  // After the promises that it has left.
  await new Promise(setImmediate)
  process.emitWarning('last')
  while (warnings.at(-1) !== 'last') await once(process, 'warning')
  process.off('warning', warned)
  return warnings.slice(0, -1)
}

test('a fault is told once, whatever is thrown, and goes no further', async () => {
  const warnings = await warningsOf(() => {
    for (const thrown of [new Error('first'), 'text', undefined, Object.create(null)]) {
      assert.equal(
        guarded('a part', () => {
          throw thrown
        }),
        undefined,
      )
    }
  })
  assert.deepEqual(warnings, ['a part failed, and what it was for is not traced: first'])
  assert.equal(
    guarded('a part', () => 7),
    7,
  )
})

test('a hook that is async is not waited for, and what it rejects with is told once', async () => {
  const warnings = await warningsOf(() => {
    for (let call = 0; call < 2; call++) guardedHook('a hook', () => Promise.reject(new Error('later')))
    guardedHook('another hook', () => {
      throw new Error('at once')
    })
  })
  assert.deepEqual(warnings, [
    'another hook failed, and what it was for is not traced: at once',
    'a hook failed, and what it was for is not traced: later',
  ])
})

test("a fault in the application's own logger goes no further", async () => {
  const nothing = () => {}
  const warn = () => {
    throw new Error('logger')
  }
  diag.setLogger(
    { error: nothing, warn, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: DiagLogLevel.ALL },
  )
  const warnings = await warningsOf(() => warnOnce('said all the same'))
  diag.disable()
  assert.deepEqual(warnings, ['said all the same'])
})

test('anything that is thrown becomes an error', () => {
  const error = new TypeError('kept')
  assert.equal(errorOf(error), error)
  assert.equal(errorOf('text').message, 'text')
  assert.equal(errorOf(undefined).message, 'undefined')
  assert.match(errorOf(Object.create(null)).message, /cannot be made a text/)
  assert.equal(errorOf(Symbol('s')).message, 'Symbol(s)')
})
