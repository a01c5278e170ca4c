import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import type { Delivery } from '@throughline/core'
import { type ProcessTelemetry, receiveTracer } from '@throughline/core/tracing'
import { recordMetrics, recordSpans, withSpans } from '@throughline/testkit'

const SENT = '0af7651916cd43dd8448eb211c80319c'
const transport = {
  system: 'memory',
  attributes: { connection: {}, sent: () => ({}), confirmed: () => ({}), delivered: () => ({ own: 1 }) },
}

function delivery(traceparent: string | undefined): Delivery {
  return {
    message: {
      headers: traceparent === undefined ? [] : [['traceparent', traceparent]],
      body: new Uint8Array(0),
      properties: { messageId: 'order-1' },
    },
    position: { destination: 'orders', timestampMs: 500 },
    attempt: 1,
  }
}

function receive(telemetry: ProcessTelemetry, traceparent?: string) {
  const start = receiveTracer(transport, { attributes: {} }, telemetry, 'get')
  const received = start({
    delivery: delivery(traceparent),
    event: undefined,
    startMs: 1000,
    active: ROOT_CONTEXT,
  })
  received.end()
  return received
}

recordSpans()

describe('a message that is asked for', () => {
  test('is a CLIENT span where it was asked for, linked to what sent it, and has that context to be handled in', () =>
    withSpans(async (spans) => {
      const { context } = receive({}, `00-${SENT}-b7ad6b7169203331-01`)
      assert.equal(trace.getSpanContext(context)?.traceId, SENT)
      assert.deepEqual(spans.tree({ omit: ['throughline.sent_at', 'throughline.sent_at_source'] }), [
        {
          name: 'get orders',
          kind: 'CLIENT',
          trace: 1,
          parent: null,
          links: [{ to: `${SENT}-b7ad6b7169203331` }],
          attributes: {
            'messaging.system': 'memory',
            'messaging.operation.name': 'get',
            'messaging.operation.type': 'receive',
            'messaging.destination.name': 'orders',
            'messaging.message.id': 'order-1',
            own: 1,
          },
        },
      ])
    }))

  test('says that its context is missing or invalid', () =>
    withSpans(async (spans) => {
      receive({})
      receive({}, 'nonsense')
      const [missing, invalid] = spans.finished()
      assert.equal(missing?.attributes['throughline.missing_context'], true)
      assert.equal(invalid?.attributes['throughline.invalid_context'], 'nonsense')
    }))

  test('is handled in a trace of its own where its context is not trusted, or only linked to', () =>
    withSpans(async (spans) => {
      const traceparent = `00-${SENT}-b7ad6b7169203331-01`
      for (const telemetry of [{ trust: 'ignore' }, { trust: 'link' }, { linkage: 'link' }] as const) {
        assert.equal(trace.getSpan(receive(telemetry, traceparent).context), undefined)
      }
      assert.deepEqual(
        spans.finished().map(({ links }) => links.length),
        [0, 1, 1],
      )
    }))

  test('is counted, with how long it was asked for and how long it waited', async () => {
    const metrics = recordMetrics()
    receive({})
    const series = await metrics.series()
    await metrics.stop()
    const dimensions = {
      'messaging.system': 'memory',
      'messaging.operation.name': 'get',
      'messaging.operation.type': 'receive',
      'messaging.destination.name': 'orders',
    }
    assert.deepEqual(
      new Set(series.map(({ name, unit, count, attributes }) => [name, unit, count, attributes])),
      new Set([
        ['messaging.client.consumed.messages', '{message}', 1, dimensions],
        ['throughline.queue.duration', 's', 1, dimensions],
        ['messaging.client.operation.duration', 's', 1, dimensions],
      ]),
    )
  })
})
