import assert from 'node:assert/strict'
import { eventually, recordSpans } from '@throughline/testkit'
import type { ClientInstrumentation } from '../../src/instrumentation.ts'

/**
 * Does the same without the instrumentation and with it, and compares what the application sees of it. `run` gives that
 * beside the names that differ from run to run.
 */
export async function sameWithout(
  instrumentation: ClientInstrumentation,
  run: () => Promise<{ readonly seen: unknown; readonly topic: string }>,
): Promise<void> {
  const recorder = recordSpans()
  const both: unknown[] = []
  for (const isTraced of [false, true]) {
    if (isTraced) instrumentation.enable()
    else instrumentation.disable()
    recorder.reset()
    const { seen, topic } = await run()
    both.push(plain(seen, topic))
    if (isTraced) assert.ok(recorder.finished().length > 0, 'it is traced')
    await eventually(() => recorder.assertNoLeaks())
  }
  const [without, traced] = both
  assert.deepEqual(traced, without)
}

function plain(seen: unknown, topic: string): unknown {
  const text = JSON.stringify(seen, (_, value) => {
    if (typeof value === 'bigint') return `${value}n`
    return value === undefined ? 'undefined' : value
  })
  return JSON.parse(text.replaceAll(topic, 'topic'))
}

/** What a call gives or throws, as an application tells errors apart. */
export async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return { value: await call() }
  } catch (error) {
    assert.ok(error instanceof Error)
    const { name, message } = error
    const cause = error.cause instanceof Error ? error.cause.message : undefined
    return { name, message, constructor: error.constructor.name, fields: Object.keys(error).sort(), cause }
  }
}

/** Headers without those of the instrumentation. */
export function ownHeaders(headers: Iterable<readonly [unknown, unknown]>): (readonly [unknown, unknown])[] {
  return Array.from(headers).filter(
    ([name]) => !['traceparent', 'throughline-sent-at'].includes(String(name)),
  )
}
