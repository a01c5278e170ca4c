import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Journey } from '../../src/api/schema.ts'
import { message, type SpanSpec } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'
import { idsOf } from './short.ts'

const edgesOf = (journey: Journey) =>
  journey.edges
    .map(({ kind, from, to }) => `${from.spanId.replace(/^0+/, '')} ${kind} ${to.spanId.replace(/^0+/, '')}`)
    .sort()

test('a job that publishes thousands is an ancestor of each, not a way to the others', (context) => {
  const spans: SpanSpec[] = [
    { trace: '1', id: 'f', name: 'nightly job', ms: 5_000 },
    { trace: '1', id: 'e', parent: 'f', name: 'read file' },
  ]
  for (let n = 1; n <= 1_000; n++) {
    spans.push(
      message('send', 'kafka', 'rows', {
        service: 'job',
        trace: '1',
        id: `a${n}`,
        parent: 'f',
        at: n,
        event: `row-${n}`,
      }),
    )
    spans.push(
      message('process', 'kafka', 'rows', {
        service: 'sink',
        trace: '1',
        id: `b${n}`,
        parent: `a${n}`,
        at: n + 1,
        event: `row-${n}`,
      }),
    )
  }
  const store = storeOf(context, spans)
  const journey = journeyIn(store, { event: 'row-500' })
  assert.deepEqual(idsOf(journey), ['a500', 'b500', 'e', 'f'])
  assert.equal(journeyIn(store, { trace: '1' }).spans.length, 2_002)
})

test('an event that ours caused belongs to it, in whatever trace it goes on', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1', event: 'order' }),
    message('process', 'kafka', 'orders', {
      service: 'pay',
      trace: '1',
      id: '2',
      parent: '1',
      at: 5,
      event: 'order',
    }),
    message('send', 'kafka', 'paid', {
      service: 'pay',
      trace: '1',
      id: '3',
      parent: '2',
      at: 6,
      event: 'paid',
    }),
    message('process', 'kafka', 'paid', {
      service: 'ship',
      trace: '2',
      id: '4',
      at: 9,
      event: 'paid',
      links: [{ trace: '1', id: '3' }],
    }),
    message('process', 'kafka', 'orders', {
      service: 'stock',
      trace: '1',
      id: '5',
      parent: '1',
      at: 7,
      event: 'order',
    }),
  ])
  assert.deepEqual(idsOf(journeyIn(store, { event: 'order' })), ['1', '2', '3', '4', '5'])
  // Of the cause only what led to the event: that the stock took the order too is not its business.
  assert.deepEqual(idsOf(journeyIn(store, { event: 'paid' })), ['1', '2', '3', '4'])
})

test('the same event in another trace belongs to it; the same id of another source does not', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'orders', { trace: '1', id: '1', event: 'x' }),
    message('send', 'mqtt', 'orders', { trace: '2', id: '2', at: 5, event: 'x' }),
    message('send', 'mqtt', 'orders', {
      trace: '3',
      id: '3',
      at: 9,
      event: 'x',
      attributes: { 'cloudevents.event_source': '/other' },
    }),
    message('process', 'mqtt', 'orders', {
      trace: '4',
      id: '4',
      at: 12,
      event: 'x',
      attributes: { 'mqtt.missing_context': true },
    }),
  ])
  const journey = journeyIn(store, { kind: 'event', event: { id: 'x', source: '/test' } })
  assert.deepEqual(idsOf(journey), ['1', '2', '4'])
  assert.deepEqual(edgesOf(journey), ['1 copy 2', '1 inferred 4'])
})
