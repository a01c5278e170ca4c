import assert from 'node:assert/strict'
import { test } from 'node:test'
import { message, type SpanSpec } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'
import { hopsOf, idsOf } from './short.ts'

const producers = Array.from({ length: 500 }, (_, i): SpanSpec[] => {
  const n = `${i + 1}`
  return [
    message('send', 'kafka', 'orders', {
      service: 'shop',
      trace: `a${n}`,
      id: `a${n}`,
      at: i,
      event: `e-${n}`,
    }),
    // Another consumer takes them one by one, and sends something on.
    message('process', 'kafka', 'orders', {
      service: 'stock',
      trace: `a${n}`,
      id: `b${n}`,
      parent: `a${n}`,
      at: 600 + i,
      event: `e-${n}`,
    }),
  ]
}).flat()
const links = Array.from({ length: 500 }, (_, i) => ({ trace: `a${i + 1}`, id: `a${i + 1}` }))
const batch = message('process', 'kafka', 'orders', {
  service: 'analytics',
  trace: 'ff',
  id: 'ff',
  at: 2_000,
  links,
  attributes: { 'messaging.batch.message_count': 500 },
})
const load: SpanSpec = {
  service: 'analytics',
  trace: 'ff',
  id: 'fe',
  parent: 'ff',
  name: 'load',
  at: 2_000,
}

test('one message of a batch of 500 leads to the batch and what the batch did, to no other message', (context) => {
  const store = storeOf(context, [...producers, batch, load])
  const journey = journeyIn(store, { event: 'e-250' })
  assert.deepEqual(idsOf(journey), ['a250', 'b250', 'fe', 'ff'])
  assert.deepEqual(hopsOf(journey), ['kafka orders: shop → stock', 'kafka orders: shop → analytics'])
})

test('from the batch all 500 messages are there, with nothing of what else became of them', (context) => {
  const store = storeOf(context, [...producers, batch, load])
  const journey = journeyIn(store, { trace: 'ff' })
  assert.equal(journey.spans.length, 502)
  assert.equal(journey.hops.length, 500)
  assert.equal(
    journey.spans.some(({ service }) => service === 'stock'),
    false,
  )
})

test('links that stand on receive parts lead from one message to the batch, and from the batch to all', (context) => {
  const parts = [0, 1, 2, 3].map((part) =>
    message('receive', 'kafka', 'orders', {
      kind: 'CLIENT',
      service: 'analytics',
      trace: 'ff',
      id: `c${part}`,
      parent: 'ff',
      at: 2_000,
      links: links.slice(part * 128, (part + 1) * 128),
      attributes: { 'throughline.batch.part': `${part + 1}/4`, 'messaging.batch.message_count': 128 },
    }),
  )
  const whole = { ...batch, links: parts.map(({ trace, id }) => ({ trace, id })) }
  const store = storeOf(context, [...producers, whole, load, ...parts])
  const one = journeyIn(store, { event: 'e-250' })
  assert.deepEqual(idsOf(one), ['a250', 'b250', 'c1', 'fe', 'ff'])
  assert.deepEqual(hopsOf(one), ['kafka orders: shop → stock', 'kafka orders: shop → analytics'])
  const all = journeyIn(store, { trace: 'ff' })
  assert.equal(all.hops.filter(({ to }) => to === 'analytics').length, 500)
})

test('of a poll only the message that was asked for is followed', (context) => {
  const poll: SpanSpec = message('receive', 'kafka', 'orders', {
    kind: 'CLIENT',
    service: 'billing',
    trace: 'ee',
    id: 'ee',
    at: 900,
    ms: 50,
  })
  const each = links.map((link, i) =>
    message('process', 'kafka', 'orders', {
      service: 'billing',
      trace: 'ee',
      id: `d${i + 1}`,
      parent: 'ee',
      at: 901,
      links: [link],
    }),
  )
  const store = storeOf(context, [...producers, poll, ...each])
  assert.deepEqual(idsOf(journeyIn(store, { event: 'e-7' })), ['a7', 'b7', 'd7', 'ee'])
  assert.equal(journeyIn(store, { trace: 'ee' }).hops.filter(({ to }) => to === 'billing').length, 500)
})

test('events that a batch sends on one by one stay apart; what it sums up belongs to each', (context) => {
  const sent = [1, 2, 3].map((n) =>
    message('send', 'mqtt', 'out', {
      service: 'analytics',
      trace: 'ff',
      id: `9${n}`,
      parent: 'ff',
      at: 2_001,
      event: `e-${n}`,
    }),
  )
  const sum = message('send', 'kafka', 'sums', {
    service: 'analytics',
    trace: 'ff',
    id: '99',
    parent: 'ff',
    at: 2_002,
    event: 'sum',
  })
  const store = storeOf(context, [...producers, batch, ...sent, sum])
  assert.deepEqual(idsOf(journeyIn(store, { event: 'e-2' })), ['92', '99', 'a2', 'b2', 'ff'])
})
