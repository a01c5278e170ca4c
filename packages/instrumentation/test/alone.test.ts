import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { recordMetrics, recordSpans } from '@throughline/testkit'
import { KafkaJsInstrumentation } from '../src/index.ts'
import { sent } from './support/sent.ts'

const instrumentation = new KafkaJsInstrumentation()

async function send(): Promise<void> {
  const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs')
  const kafka = new Kafka({ brokers: ['127.0.0.1:9'], logLevel: logLevel.NOTHING })
  const sending = kafka.producer().send({ topic: 'orders', messages: [{ value: 'one' }] })
  await assert.rejects(sending, { name: 'KafkaJSError' })
}

// The order of the tests is the point: what is registered globally, no later test can take back from its tracers.
test('an SDK that is registered after the instrumentation gets its spans and metrics', async () => {
  registerInstrumentations({ instrumentations: [instrumentation] })
  const spans = recordSpans()
  const metrics = recordMetrics()
  await send()
  assert.deepEqual(spans.tree(), [sent])
  const names = (await metrics.series()).map(({ name }) => name).sort()
  assert.deepEqual(names, ['messaging.client.operation.duration', 'messaging.client.sent.messages'])
  spans.assertNoLeaks()
  spans.reset()
  await metrics.stop()
})

test('one instrumentation alone keeps to the providers that it is given', async () => {
  const global = recordSpans()
  const spans = recordSpans({ global: false })
  const metrics = recordMetrics({ global: false })
  registerInstrumentations({
    instrumentations: [instrumentation],
    tracerProvider: spans.tracerProvider,
    meterProvider: metrics.meterProvider,
  })
  await send()
  assert.deepEqual(spans.tree(), [sent])
  assert.deepEqual(global.tree(), [])
  const names = (await metrics.series()).map(({ name }) => name).sort()
  assert.deepEqual(names, ['messaging.client.operation.duration', 'messaging.client.sent.messages'])
  await metrics.stop()
})
