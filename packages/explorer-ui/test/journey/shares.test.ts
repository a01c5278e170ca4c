import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel } from '../../src/journey/model.ts'
import { longestWaits, slowestHop, workByService } from '../../src/journey/shares.ts'
import { hop, journey, ref, span } from '../fixtures/build.ts'

const rounded = (rows: readonly (readonly [string, number])[]) =>
  rows.map(([name, ms]) => [name, Math.round(ms * 1000) / 1000])

test('work by service is what the totals count as work: neither sends nor calls, nor what children do', () => {
  const one = journey([
    span({ id: '1', service: 'station', role: 'send', durationMs: 20.7 }),
    span({ id: '2', parent: '1', service: 'device', role: 'process', startMs: 21, durationMs: 10 }),
    span({ id: '3', parent: '2', service: 'device', role: 'client', startMs: 23, durationMs: 5 }),
    span({ id: '4', parent: '3', service: 'echo', role: 'server', startMs: 24, durationMs: 1.5 }),
  ])
  assert.deepEqual(rounded(workByService(buildModel(one))), [
    ['device', 5],
    ['echo', 1.5],
  ])
})

test('two spans of a service at work at once are counted once', () => {
  const one = journey([
    span({ id: '1', service: 'a', startMs: 0, durationMs: 10 }),
    span({ id: '2', service: 'a', startMs: 4, durationMs: 10 }),
    span({ id: '3', service: 'a', startMs: 20, durationMs: 1 }),
  ])
  assert.deepEqual(rounded(workByService(buildModel(one))), [['a', 15]])
})

test('waits are those in brokers alone, one a destination, the longest first', () => {
  const one = journey(
    [span({ id: '1', service: 'a' }), span({ id: '2', service: 'b', startMs: 30 })],
    [
      hop({ index: 0, transport: 'http', destination: '/events', sentMs: 0, processedMs: 30 }),
      hop({ index: 1, kind: 'call', transport: 'http', destination: '/echo', sentMs: 0, processedMs: 20 }),
      hop({ index: 2, transport: 'mqtt', destination: 't', sentMs: 1, processedMs: 3, send: ref('1') }),
      hop({ index: 3, transport: 'kafka', destination: 'orders', sentMs: 1, processedMs: 5 }),
      hop({ index: 4, transport: 'kafka', destination: 'orders', sentMs: 1, processedMs: 11 }),
      hop({ index: 5, transport: 'kafka', destination: 'early', sentMs: 9, processedMs: 3 }),
    ],
  )
  const model = buildModel(one)
  assert.deepEqual(
    longestWaits(model).map(({ index }) => index),
    [4, 2],
  )
  assert.equal(slowestHop(model)?.index, 4)
})
