import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { needsShared } from '../shared-data.ts'
import { journeyIn, storeOfShared } from '../temporary.ts'
import { hopsOf } from './short.ts'

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`)

const goldenStore = (context: TestContext) => storeOfShared(context, 'golden/otlp.json')

describe('the golden journey', needsShared, () => {
  test('is whole from event, trace and span id alike, with its hops in order', (context) => {
    const store = goldenStore(context)
    const ref = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '1000000000000005' }
    for (const start of [{ event: 'e-1' }, { kind: 'trace', ...ref }, { kind: 'span', span: ref }] as const) {
      const journey = journeyIn(store, start)
      assert.equal(journey.id, 'e-1')
      assert.deepEqual(journey.event, {
        id: 'e-1',
        source: '/sensors/temperature',
        type: 'com.example.sensor.reading',
        subject: 'sensor-001',
      })
      assert.deepEqual(hopsOf(journey), [
        'http /events: station → webhook',
        'kafka sensor-readings: webhook → forwarder',
        'mqtt sensors/sensor-001/reading: forwarder → device',
        'http /echo: device → echo',
      ])
      const [http, kafka, mqtt, call] = journey.hops
      assert.deepEqual(
        [kafka?.partition, kafka?.offset, mqtt?.qos, mqtt?.destinationTemplate],
        ['2', '17', 1, 'sensors/{event.subject}/reading'],
      )
      assert.deepEqual([http?.kind, call?.kind], ['message', 'call'])
      close(kafka?.queueMs ?? 0, 3.4)
      close(mqtt?.queueMs ?? 0, 1.2)
      close(mqtt?.confirmedMs ?? 0, 6.1)
      assert.deepEqual(journey.findings, [])
      assert.equal(journey.truncated, null)
    }
  })

  test('its time is work, queue and wait, and the queue is that of the brokers', (context) => {
    const store = goldenStore(context)
    const { totals } = journeyIn(store, { event: 'e-1' })
    close(totals.durationMs, 8.3)
    close(totals.workMs + totals.queueMs + totals.waitMs, totals.durationMs)
    // 3.4 + 1.2 less the 0.3 ms in which the webhook still worked while its message was under way.
    close(totals.queueMs, 4.3)
  })

  test('links equal to the parent are one edge; over a broker it is asynchronous', (context) => {
    const store = goldenStore(context)
    const journey = journeyIn(store, { event: 'e-1' })
    assert.equal(journey.edges.length, 7)
    assert.deepEqual(
      journey.edges.filter(({ kind }) => kind === 'async-child').map(({ to }) => to.spanId),
      ['1000000000000004', '1000000000000006'],
    )
    assert.ok(
      journey.spans.every(({ critical }) => critical),
      'a chain without branches is critical as a whole',
    )
  })

  test('an order leads to its retry and to the batch, not to the other orders of the batch', (context) => {
    const store = goldenStore(context)
    const journey = journeyIn(store, { kind: 'trace', traceId: '0af7651916cd43dd8448eb211c80319c' })
    assert.deepEqual(journey.services, ['order-service', 'payment', 'analytics'])
    assert.deepEqual(hopsOf(journey), [
      'kafka orders: order-service → payment',
      'kafka orders: order-service → analytics',
    ])
    assert.equal(journey.hops[0]?.attempts, 2)
    assert.deepEqual(journey.edges.map(({ kind }) => kind).sort(), [
      'async-child',
      'async-child',
      'batch-link',
      'retry',
    ])
  })

  test('the batch itself shows all its orders', (context) => {
    const store = goldenStore(context)
    const journey = journeyIn(store, { kind: 'trace', traceId: 'd3f7651916cd43dd8448eb211c80319c' })
    assert.equal(journey.hops.length, 3)
    assert.equal(journey.spans.length, 4)
  })

  test('a replay is a hop of the message that it replays', (context) => {
    const store = goldenStore(context)
    const journey = journeyIn(store, { kind: 'trace', traceId: '17f7651916cd43dd8448eb211c80319c' })
    assert.ok(hopsOf(journey).includes('kafka orders: order-service → replayer'))
    assert.ok(journey.edges.some(({ kind }) => kind === 'replay-link'))
  })
})
