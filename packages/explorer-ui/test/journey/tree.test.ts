import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel, refKey } from '../../src/journey/model.ts'
import { treeRows } from '../../src/journey/tree.ts'
import { journey, ref, span } from '../fixtures/build.ts'
import { largeJourney } from '../fixtures/large.ts'
import { orderJourney } from '../fixtures/order.ts'

test('a batch in a trace of its own hangs below the send that it links to', () => {
  const rows = treeRows(buildModel(orderJourney()), new Set())
  const batch = rows.find((row) => row.span.service === 'analytics')
  assert.deepEqual([batch?.depth, batch?.linked], [2, true])
  assert.equal(rows.length, orderJourney().spans.length)
})

test('what a collapsed span holds is not listed', () => {
  const model = buildModel(orderJourney())
  const rows = treeRows(model, new Set([refKey(ref('4'))]))
  assert.ok(!rows.some((row) => row.span.name === 'charge'))
  assert.equal(rows.find((row) => row.key === refKey(ref('4')))?.childCount, 2)
})

test('spans that are each other’s parent, or their own, are all listed once', () => {
  const rows = treeRows(
    buildModel(
      journey([
        span({ id: '1', parent: '2', service: 'a' }),
        span({ id: '2', parent: '1', service: 'a', startMs: 1 }),
        span({ id: '3', parent: '3', service: 'a', startMs: 2 }),
      ]),
    ),
    new Set(),
  )
  assert.deepEqual(rows.map((row) => row.span.spanId.slice(-1)).sort(), ['1', '2', '3'])
})

test('a chain of 5,000 spans is listed without exhausting the stack', () => {
  const spans = Array.from({ length: 5000 }, (_, n) =>
    span({ id: (n + 1).toString(16), parent: n === 0 ? null : n.toString(16), service: 'a', startMs: n }),
  )
  assert.equal(treeRows(buildModel(journey(spans)), new Set()).at(-1)?.depth, 4999)
  assert.equal(treeRows(buildModel(largeJourney(5000)), new Set()).length, 5000)
})
