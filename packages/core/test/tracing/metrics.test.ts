import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import { createBroker, type Header, UnavailableError } from '@throughline/core'
import {
  eventually,
  type MetricRecorder,
  type MetricSeries,
  memoryTransport,
  recordMetrics,
  recordSpans,
} from '@throughline/testkit'
import { processTracer } from '../../src/tracing/process.ts'

const reading = { type: 'com.example.reading', source: '/s' }
const SEND = {
  'messaging.system': 'memory',
  'messaging.operation.name': 'send',
  'messaging.operation.type': 'send',
}
const PROCESS = {
  'messaging.system': 'memory',
  'messaging.operation.name': 'process',
  'messaging.operation.type': 'process',
  'messaging.consumer.group.name': 'default',
}
const READINGS = { 'messaging.destination.name': 'readings' }

/** Runs a test with a meter provider of its own, set up only when the broker, publishers and subscriptions are there. */
async function withMetrics(run: (start: () => MetricRecorder) => Promise<void>): Promise<void> {
  recordSpans()
  let recorder: MetricRecorder | undefined
  try {
    await run(() => {
      recorder = recordMetrics()
      return recorder
    })
  } finally {
    await recorder?.stop()
  }
}

describe('metrics', () => {
  test('count every message with the units and buckets of the conventions, also when the SDK is set up late', () =>
    withMetrics(async (start) => {
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const publisher = broker.publisher({ destination: 'readings' })
      await publisher.publish(reading)
      let calls = 0
      await broker.subscribe({ destinations: ['readings'], retry: { minMs: 1, maxMs: 1 } }, () => {
        if (++calls === 2) throw new TypeError('once')
      })
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const metrics = start()
      await publisher.publish(reading)
      await publisher.publish(reading)
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const sent = { ...SEND, ...READINGS }
      const processed = { ...PROCESS, ...READINGS }
      assert.deepEqual(facts(await metrics.series()), [
        ['messaging.client.sent.messages', '{message}', 2, sent],
        ['messaging.client.operation.duration', 's', 2, sent],
        ['messaging.client.consumed.messages', '{message}', 2, processed],
        ['messaging.process.duration', 's', 1, { ...processed, 'error.type': 'TypeError' }],
        ['messaging.process.duration', 's', 2, processed],
        ['throughline.queue.duration', 's', 2, processed],
      ])
      const [duration] = await metrics.series('messaging.process.duration')
      assert.deepEqual(
        duration?.boundaries,
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
      )
    }))

  test('count what is not sampled', () =>
    withMetrics(async (start) => {
      const metrics = start()
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const unsampled = trace.setSpanContext(ROOT_CONTEXT, {
        traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
        spanId: '00f067aa0ba902b7',
        traceFlags: TraceFlags.NONE,
      })
      await broker.publisher({ destination: 'readings' }).publish(reading, { context: unsampled })
      await broker.subscribe({ destinations: ['readings'] }, (_event, { span }) =>
        assert.equal(span.isRecording(), false),
      )
      await eventually(() => assert.equal(transport.unsettled(), 0))
      const counts = (await metrics.series()).map(({ name, count }) => [name, count])
      assert.deepEqual(counts, [
        ['messaging.client.sent.messages', 1],
        ['messaging.client.operation.duration', 1],
        ['messaging.client.consumed.messages', 1],
        ['messaging.process.duration', 1],
        ['throughline.queue.duration', 1],
      ])
    }))

  test('name the error of what was refused', () =>
    withMetrics(async (start) => {
      const metrics = start()
      const transport = memoryTransport()
      transport.failNext(1, new UnavailableError('away'))
      await using broker = createBroker(transport)
      await assert.rejects(broker.publisher({ destination: 'readings' }).publish(reading))
      const refused = { ...SEND, ...READINGS, 'error.type': 'TL_UNAVAILABLE' }
      assert.deepEqual(facts(await metrics.series()), [
        ['messaging.client.sent.messages', '{message}', 1, refused],
        ['messaging.client.operation.duration', 's', 1, refused],
      ])
    }))

  test('have a template in place of the destinations it stands for, and none for those that only messages name', () =>
    withMetrics(async (start) => {
      const metrics = start()
      await using broker = createBroker(memoryTransport())
      const template = 'sensors/{id}/reading'
      const templated = broker.publisher({ destination: 'sensors', template })
      const plain = broker.publisher({ destination: 'sensors' })
      for (let index = 0; index < 10; index++) {
        await templated.publish(reading, { destination: `sensors/${index}/reading` })
        await plain.publish(reading, { destination: `sensors/${index}/reading` })
      }
      assert.deepEqual(facts(await metrics.series('messaging.client.sent.messages')), [
        [
          'messaging.client.sent.messages',
          '{message}',
          10,
          { ...SEND, 'messaging.destination.template': template },
        ],
        ['messaging.client.sent.messages', '{message}', 10, SEND],
      ])
    }))

  test('leave out where a delivery came from, where there is no bound to such destinations and no name of them', () =>
    withMetrics(async (start) => {
      const metrics = start()
      const { attributes } = memoryTransport()
      const startProcess = processTracer({ system: 'memory', attributes }, { attributes: {} }, {})
      for (let index = 0; index < 10; index++) {
        const destination = `sensors/${index}`
        for (const position of [
          { destination, unbounded: true },
          { destination, unbounded: true, pattern: 'sensors/+' },
        ]) {
          const delivery = { message: { body: null, headers: [] }, position, attempt: 1 }
          startProcess({ delivery, event: undefined, attempt: 1, previous: undefined }).end(null, 'accept')
        }
      }
      const { 'messaging.consumer.group.name': _, ...process } = PROCESS
      for (const name of ['messaging.client.consumed.messages', 'messaging.process.duration']) {
        const series = await metrics.series(name)
        assert.deepEqual(
          series.map(({ count, attributes }) => [count, attributes]),
          [
            [10, process],
            [10, { ...process, 'messaging.destination.template': 'sensors/+' }],
          ],
        )
      }
    }))

  test('tell two hundred sources of one subscription apart, and count the others together', () =>
    withMetrics(async (start) => {
      const metrics = start()
      const { attributes } = memoryTransport()
      const startProcess = processTracer({ system: 'memory', attributes }, { attributes: {} }, {})
      for (let index = 0; index < 250; index++) {
        const position = { destination: `orders.${index}` }
        const delivery = { message: { body: null, headers: [] }, position, attempt: 1 }
        startProcess({ delivery, event: undefined, attempt: 1, previous: undefined }).end(null, 'accept')
      }
      const series = await metrics.series('messaging.process.duration')
      const named = series.filter(({ attributes }) => 'messaging.destination.name' in attributes)
      assert.deepEqual([named.length, named.every(({ count }) => count === 1)], [200, true])
      const others = series.filter((each) => !named.includes(each))
      const { 'messaging.consumer.group.name': _, ...process } = PROCESS
      assert.deepEqual(
        others.map(({ count, attributes }) => [count, attributes]),
        [[50, process]],
      )
    }))

  test('keep a queue time below zero apart', () =>
    withMetrics(async (start) => {
      const metrics = start()
      const transport = memoryTransport()
      await using broker = createBroker(transport)
      const inAnHour = String((Date.now() + 3_600_000) * 1000)
      const headers: Header[] = [['throughline-sent-at', inAnHour]]
      await transport.publisher({ destination: 'readings' }).publish([{ body: null, headers }])
      await broker.subscribe({ destinations: ['readings'], raw: true }, () => undefined)
      await eventually(() => assert.equal(transport.unsettled(), 0))
      assert.deepEqual(await metrics.series('throughline.queue.duration'), [])
      const [skewed] = await metrics.series('throughline.queue.skewed')
      assert.equal(skewed?.count, 1)
    }))
})

function facts(series: readonly MetricSeries[]): unknown[] {
  return series.map(({ name, unit, count, attributes }) => [name, unit, count, attributes])
}
