import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metrics, trace } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { eventually, recordMetrics, recordSpans, withSpans } from '@throughline/testkit'
import { roundTrip } from '../support/carrier.ts'
import { carriers } from '../support/carriers.ts'

for (const carrier of carriers) {
  const { name, instrumentation } = carrier

  test(`${name}: its instrumentation alone keeps to the providers that it is given`, (t) =>
    withSpans(async (registered) => {
      const counted = recordMetrics()
      const own = recordSpans({ global: false })
      const ownCounted = recordMetrics({ global: false })
      t.after(() => Promise.all([counted.stop(), ownCounted.stop()]))
      registerInstrumentations({
        instrumentations: [instrumentation],
        tracerProvider: own.tracerProvider,
        meterProvider: ownCounted.meterProvider,
      })
      t.after(() => {
        instrumentation.setTracerProvider(trace.getTracerProvider())
        instrumentation.setMeterProvider(metrics.getMeterProvider())
      })
      const { sent, handled, omit } = await roundTrip(t, carrier)
      await eventually(() => assert.equal(own.finished().length, 2))
      const child = { ...handled, trace: 1, parent: sent.name, links: [{ to: sent.name }] }
      assert.deepEqual(own.tree({ omit }), [{ ...sent, trace: 1, parent: null, children: [child] }])
      own.assertNoLeaks()
      assert.deepEqual(registered.finished(), [])
      assert.deepEqual(
        (await ownCounted.series()).map(({ name }) => name),
        [
          'messaging.client.sent.messages',
          'messaging.client.operation.duration',
          'messaging.client.consumed.messages',
          'messaging.process.duration',
          'throughline.queue.duration',
        ],
      )
      assert.deepEqual(await counted.series(), [])
    }))
}
