import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderJourneyText } from '@throughline/explorer'
import { message, type SpanSpec } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'

/** A device that gets a message at 10.9 ms and calls a server; its SDK's spans start at whole milliseconds. */
const rounded: readonly SpanSpec[] = [
  message('send', 'mqtt', 'reading', { service: 'forwarder', trace: '1', id: '9', at: 8.2, ms: 4 }),
  message('process', 'mqtt', 'reading', {
    service: 'device',
    trace: '1',
    id: '5',
    parent: '9',
    at: 10.9,
    ms: 3,
  }),
  {
    service: 'device',
    trace: '1',
    id: '4',
    parent: '5',
    name: 'POST',
    kind: 'CLIENT',
    at: 10,
    ms: 3.5,
    attributes: { 'url.full': 'http://localhost/echo' },
  },
  {
    service: 'echo',
    trace: '1',
    id: '3',
    parent: '4',
    name: 'POST',
    kind: 'SERVER',
    at: 10,
    ms: 2,
    attributes: { 'url.path': '/echo' },
  },
]

test('spans that start up to 1 ms before their parent stand behind it, in spans, services and text', (context) => {
  const journey = journeyIn(storeOf(context, rounded.toReversed()), { trace: '1' })
  assert.deepEqual(
    journey.spans.map(({ service, role }) => `${service} ${role}`),
    ['forwarder send', 'device process', 'device client', 'echo server'],
  )
  assert.deepEqual(journey.services, ['forwarder', 'device', 'echo'])
  assert.match(renderJourneyText(journey), /\(4: forwarder send; device process, client; echo server\)/)
  assert.deepEqual(
    journey.spans.map(({ startMs }) => Math.round(startMs * 10) / 10),
    [0, 2.7, 1.8, 1.8],
    'the times are told as they came',
  )
  assert.ok(
    journey.spans.every(({ critical }) => critical),
    'what decided how long it took is found below its parent',
  )
})

test('a span that starts more than 1 ms before its parent stands where its own clock puts it', (context) => {
  const early = rounded.map((spec) => (spec.id === '4' ? { ...spec, at: 9.8 } : spec))
  const journey = journeyIn(storeOf(context, early), { trace: '1' })
  assert.deepEqual(
    journey.spans.map(({ name }) => name),
    ['send reading', 'POST', 'POST', 'process reading'],
  )
})

test('a journey begins with its earliest span, also where that stands behind its parent', (context) => {
  const store = storeOf(context, [
    { trace: '1', id: '1', name: 'outer', at: 5.6, ms: 4 },
    { trace: '1', id: '2', parent: '1', name: 'inner', at: 5, ms: 2 },
  ])
  const { spans, totals } = journeyIn(store, { trace: '1' })
  assert.deepEqual(
    spans.map(({ name, startMs }) => [name, startMs]),
    [
      ['outer', 0.6],
      ['inner', 0],
    ],
  )
  assert.equal(totals.durationMs, 4.6)
})

test('a process up to 1 ms before its send waited 0 ms, whether a parent or a link ties them; no clock is blamed', (context) => {
  const send = message('send', 'kafka', 't', { service: 'shop', trace: '1', id: '1', at: 20.999 })
  const ties = [{ parent: '1' }, { trace: '2', links: [{ trace: '1', id: '1' }] }]
  for (const tie of ties) {
    for (const [at, queueMs] of [
      [20, 0],
      [19.999, 0],
      [19.998, -1.001],
    ] as const) {
      const process = message('process', 'kafka', 't', { service: 'pay', trace: '1', id: '2', at, ...tie })
      const { hops, findings } = journeyIn(storeOf(context, [send, process]), { trace: '1' })
      assert.equal(Math.round((hops[0]?.queueMs ?? Number.NaN) * 1e6) / 1e6, queueMs, `${at}`)
      assert.equal(hops[0]?.queueMs, (hops[0]?.processedMs ?? 0) - (hops[0]?.sentMs ?? 0))
      assert.deepEqual(
        findings.map(({ code }) => code),
        queueMs < 0 ? ['clock-skew'] : [],
      )
    }
  }
})

test('the server of a call up to 1 ms before its client was reached in 0 ms', (context) => {
  const specs = rounded.map((spec) => (spec.id === '4' ? { ...spec, at: 10.95, ms: 2 } : spec))
  const { hops } = journeyIn(storeOf(context, specs), { trace: '1' })
  assert.equal(hops.find(({ kind }) => kind === 'call')?.queueMs, 0)
})
