import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBroker } from '@throughline/core'
import { eventually, memoryTransport, withSpans } from '@throughline/testkit'
import { microsText, unixMs } from '../../src/tracing/clock.ts'

test('the clock is the wall clock with a fraction, and follows it when it was set', (context) => {
  assert.ok(Math.abs(unixMs() - Date.now()) <= 2)
  const readings = Array.from({ length: 1000 }, unixMs)
  assert.ok(readings.some((reading) => !Number.isInteger(reading)))
  assert.deepEqual(
    readings,
    readings.toSorted((a, b) => a - b),
  )
  const ahead = Date.now() + 3_600_000
  context.mock.method(Date, 'now', () => ahead)
  assert.ok(Math.abs(unixMs() - ahead) <= 2)
})

test('microseconds are written as whole numbers, into a new second too', () => {
  const second = 1_763_742_001_000
  for (const ms of [second, second + 0.125, second + 999.5, second - 2 ** -10, second - 2 ** -12]) {
    assert.equal(microsText(ms), String(Math.round(ms * 1000)))
  }
})

test('a process span never starts before the send span whose message it handles', () =>
  withSpans(async (spans) => {
    const transport = memoryTransport()
    await using broker = createBroker(transport)
    const publisher = broker.publisher({ destination: 'readings' })
    await broker.subscribe({ destinations: ['readings'] }, () => undefined)
    for (let index = 0; index < 50; index++) await publisher.publish({ type: 't', source: '/' })
    await eventually(() => assert.equal(spans.named('process readings').length, 50))
    const nanos = ([seconds, rest]: [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)
    const starts = new Map(spans.named('send readings').map((span) => [span.spanContext().spanId, span]))
    for (const span of spans.named('process readings')) {
      const sender = starts.get(span.parentSpanContext?.spanId ?? '')
      assert.ok(sender)
      assert.ok(nanos(span.startTime) >= nanos(sender.startTime))
      assert.ok(nanos(span.endTime) >= nanos(span.startTime))
      const sentAt = Number(span.attributes['throughline.sent_at'])
      const offMicros = sentAt - Number(nanos(sender.startTime)) / 1000
      assert.ok(Math.abs(offMicros) <= 1, `the header says when the span began, not ${offMicros} µs off`)
    }
  }))
