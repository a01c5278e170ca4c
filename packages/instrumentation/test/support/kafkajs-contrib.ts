import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import type { InstrumentationBase } from '@opentelemetry/instrumentation'
import { eventually, recordSpans } from '@throughline/testkit'
import { consume, setUp } from './kafkajs.ts'

/** Both instrumentations are there, in either order, before the client is loaded. */
export async function stepsBack(t: TestContext, contrib: Pick<InstrumentationBase, 'setTracerProvider'>) {
  const recorder = recordSpans()
  contrib.setTracerProvider(recorder.tracerProvider)
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))
  const first = once(process, 'warning')
  const { kafka, producer, topic, group } = await setUp(t)
  recorder.reset()
  await producer.send({ topic, messages: [{ value: 'one' }] })
  await producer.send({ topic, messages: [{ value: 'two' }, { value: 'three' }] })
  const seen: (string | undefined)[][] = []
  await consume(t, kafka, {
    topics: [topic],
    group,
    eachMessage: async ({ message: { headers = {} } }) => {
      seen.push(Object.keys(headers).map((name) => `${name} ${[headers[name]].flat().length}`))
    },
  })
  await eventually(() => assert.equal(recorder.finished().length, 6), { timeoutMs: 30_000 })
  assert.deepEqual(seen, [['traceparent 1'], ['traceparent 1'], ['traceparent 1']])
  const scopes = new Set(recorder.finished().map((span) => span.instrumentationScope.name))
  assert.deepEqual([...scopes], ['@opentelemetry/instrumentation-kafkajs'])
  recorder.assertNoLeaks()
  await first
  const own = warnings.filter(({ name }) => name === 'ThroughlineWarning')
  assert.deepEqual(
    own.map(({ message }) => message.split(':')[0]),
    ['kafkajs is traced by another instrumentation too'],
  )
}
