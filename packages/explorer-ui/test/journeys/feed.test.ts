import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JourneySummary } from '@throughline/explorer/api'
import { chainOf, EMPTY_FEED, type Feed, type FeedAction, reduceFeed } from '../../src/journeys/feed.ts'

function summary(id: string, atSeconds: number, more: Partial<JourneySummary> = {}): JourneySummary {
  return {
    id,
    event: null,
    traceId: id,
    startUnixNanos: `${atSeconds}000000000`,
    durationMs: 1,
    services: [],
    transports: [],
    spanCount: 1,
    errorCount: 0,
    findingCount: 0,
    ...more,
  }
}

function run(actions: readonly FeedAction[], from: Feed = EMPTY_FEED): Feed {
  return actions.reduce(reduceFeed, from)
}

const ids = (feed: Feed): readonly string[] => feed.rows.map((row) => row.id)

test('journeys stand newest first, each once, whatever order they arrive in', () => {
  const feed = run([
    { kind: 'arrived', summary: summary('b', 20) },
    { kind: 'arrived', summary: summary('c', 100) },
    { kind: 'arrived', summary: summary('a', 9) },
    { kind: 'arrived', summary: summary('b', 20, { spanCount: 8 }) },
  ])
  assert.deepEqual(ids(feed), ['c', 'b', 'a'])
  assert.equal(feed.rows[1]?.spanCount, 8)
})

test('a trace that was listed before its event was known is not listed twice', () => {
  const event = { id: 'e-1', source: null, type: 'reading', subject: null }
  const feed = run([
    { kind: 'arrived', summary: summary('trace-1', 10) },
    { kind: 'arrived', summary: summary('e-1', 10, { traceId: 'trace-1', event, spanCount: 3 }) },
  ])
  assert.deepEqual(ids(feed), ['e-1'])
})

test('a page that was under way does not undo what the stream has brought since', () => {
  const feed = run([
    { kind: 'arrived', summary: summary('a', 10, { spanCount: 8 }) },
    {
      kind: 'newest',
      list: { journeys: [summary('a', 10, { spanCount: 2 }), summary('b', 5)], next: 'cursor' },
    },
  ])
  assert.deepEqual(
    [ids(feed), feed.rows[0]?.spanCount, feed.next, feed.loaded],
    [['a', 'b'], 8, 'cursor', true],
  )
})

test('paused, arrivals wait; resumed, they are all there', () => {
  const paused = run([
    { kind: 'arrived', summary: summary('a', 10) },
    { kind: 'pause' },
    { kind: 'arrived', summary: summary('b', 20) },
    { kind: 'arrived', summary: summary('b', 20, { spanCount: 3 }) },
  ])
  assert.deepEqual([ids(paused), paused.held.length], [['a'], 1])
  const resumed = reduceFeed(paused, { kind: 'resume' })
  assert.deepEqual([ids(resumed), resumed.held.length, resumed.rows[0]?.spanCount], [['b', 'a'], 0, 3])
})

test('asking again after a lost stream keeps the older pages and their cursor', () => {
  const feed = run([
    { kind: 'newest', list: { journeys: [summary('c', 30)], next: '30' } },
    { kind: 'older', list: { journeys: [summary('b', 20)], next: '20' } },
    { kind: 'newest', list: { journeys: [summary('d', 40), summary('c', 30)], next: '30' } },
  ])
  assert.deepEqual([ids(feed), feed.next], [['d', 'c', 'b'], '20'])
})

test('a list that fills by itself does not grow without end', () => {
  let feed = EMPTY_FEED
  for (let n = 0; n < 1000; n++)
    feed = reduceFeed(feed, { kind: 'arrived', summary: summary(`j${n}`, n + 1) })
  assert.equal(feed.rows.length, 400)
  assert.equal(feed.rows[0]?.id, 'j999')
})

test('transports stand between the services where their order is certain, before them where it is not', () => {
  const chain = chainOf(
    summary('a', 1, { services: ['station', 'webhook', 'device'], transports: ['http', 'mqtt'] }),
  )
  assert.deepEqual(
    chain.links.map((link) => link.via),
    [null, 'http', 'mqtt'],
  )
  const fan = chainOf(
    summary('a', 1, { services: ['order', 'stock', 'pay'], transports: ['kafka', 'kafka', 'mqtt'] }),
  )
  assert.deepEqual(fan.transports, ['kafka', 'mqtt'])
  assert.ok(fan.links.every((link) => link.via === null))
})
