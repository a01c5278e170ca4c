import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel, refKey } from '../../src/journey/model.ts'
import {
  formatState,
  nextCritical,
  nextHop,
  parseState,
  type Selection,
  selectionOf,
  spanParam,
} from '../../src/journey/state.ts'
import { journey, ref, span } from '../fixtures/build.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

test('the whole state of the page survives its address', () => {
  const state = {
    view: 'waterfall',
    fold: false,
    span: '1000000000000008',
    hop: null,
    window: { fromMs: 1.25, toMs: 7.000001 },
  } as const
  assert.equal(formatState(state), '?view=waterfall&fold=off&span=1000000000000008&t=1.25~7.000001')
  assert.deepEqual(parseState(formatState(state)), state)
})

test('what is at its default does not stand in the address, and nonsense has its default', () => {
  const start = parseState('')
  assert.equal(formatState(start), '')
  assert.deepEqual(parseState('?view=pie&fold=maybe&hop=minus&t=9~1'), start)
  assert.deepEqual(parseState('?t=a~b&hop=99999999999999'), start)
})

test('a selection that the journey does not have is none', () => {
  const model = buildModel(sensorJourney())
  assert.equal(selectionOf(model, { ...parseState(''), span: 'ffff' }), null)
  assert.equal(selectionOf(model, { ...parseState(''), hop: 99 }), null)
})

test('a span id that two traces share is named with its trace', () => {
  const other = 'f'.repeat(32)
  const model = buildModel(
    journey([span({ id: '1', service: 'a' }), span({ id: '1', service: 'b', startMs: 1, traceId: other })]),
  )
  assert.equal(spanParam(model, refKey(ref('1'))), ref('1').spanId)
  const param = spanParam(model, refKey(ref('1', other)))
  const selected = selectionOf(model, { ...parseState(''), span: param })
  assert.equal(selected?.kind === 'span' ? selected.span.service : null, 'b')
})

test('j and k go from hop to hop and stay at the ends', () => {
  const model = buildModel(sensorJourney())
  let selection: Selection = null
  const seen: (number | null)[] = []
  for (const step of [1, 1, 1, 1, 1, -1] as const) {
    const index = nextHop(model, selection, step)
    seen.push(index)
    selection = index === null ? null : { kind: 'hop', index }
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 3, 2])
  assert.equal(nextHop(model, null, -1), 3)
  assert.equal(nextHop(buildModel(journey([])), null, 1), null)
})

test('the critical path goes through the queues, forth and back', () => {
  const model = buildModel(sensorJourney())
  const name = (selection: Selection): string =>
    selection === null
      ? '-'
      : selection.kind === 'hop'
        ? `hop ${selection.index}`
        : selection.span.spanId.slice(-1)
  let selection: Selection = null
  const path: string[] = []
  for (let n = 0; n < 12; n++) {
    selection = nextCritical(model, selection, 1)
    if (name(selection) !== path.at(-1)) path.push(name(selection))
  }
  assert.deepEqual(path, ['hop 0', '2', 'hop 1', '4', 'hop 2', '6', '7', '8'])
  assert.equal(name(nextCritical(model, { kind: 'hop', index: 1 }, -1)), '2')
})

test('the critical path covers each moment once, in order', () => {
  for (const one of [sensorJourney(), orderJourney()]) {
    const { critical } = buildModel(one)
    for (const [index, step] of critical.entries()) {
      assert.ok(step.endMs > step.startMs)
      const before = critical[index - 1]
      if (before !== undefined) assert.ok(step.startMs >= before.endMs)
    }
  }
})
