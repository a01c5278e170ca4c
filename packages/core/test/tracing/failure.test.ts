import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { recordSpans, withSpans } from '@throughline/testkit'
import { recordFailure, recordFailures } from '../../src/tracing/failure.ts'

recordSpans()
const tracer = trace.getTracer('test')

test('a failure has its status, its type and its exception event', () =>
  withSpans((spans) => {
    const span = tracer.startSpan('failed')
    const error = Object.assign(new TypeError('no such topic'), { code: 'NO_TOPIC' })
    recordFailure(span, error, 1000)
    span.end()
    const [finished] = spans.finished()
    assert.equal(finished?.status.message, 'no such topic')
    assert.equal(finished?.attributes['error.type'], 'NO_TOPIC')
    assert.deepEqual(finished?.events[0]?.attributes, {
      'exception.type': 'NO_TOPIC',
      'exception.message': 'no such topic',
      'exception.stacktrace': error.stack,
    })
  }))

test('user and password of a URL in an error are nowhere in its span', () =>
  withSpans((spans) => {
    const error = new Error('connect amqp://user:ge#he@im@rabbit.example:5672/orders failed')
    const one = tracer.startSpan('failed')
    recordFailure(one, error, 1000)
    one.end()
    const text = tracer.startSpan('failed with a text')
    recordFailure(text, 'https://user:geheim@example.com/', 1000)
    text.end()
    const batch = tracer.startSpan('failed batch')
    recordFailures(batch, [undefined, error], 1000)
    batch.end()
    const said = JSON.stringify(spans.finished().map(({ status, events }) => [status, events]))
    assert.doesNotMatch(said, /user|he@im|geheim/)
    const [finished] = spans.finished()
    assert.equal(finished?.status.message, 'connect amqp://rabbit.example:5672/orders failed')
    assert.match(String(finished?.events[0]?.attributes?.['exception.stacktrace']), /failure\.test\.ts/)
  }))
