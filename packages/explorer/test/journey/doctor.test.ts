import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildJourney } from '../../src/journey/build.ts'
import { missingOf } from '../../src/journey/json.ts'
import { message, traceId, zeroUnixMs } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'

const missing = { 'throughline.missing_context': true }

test('a message without context is named with its topic or path', (context) => {
  for (const [system, destination, title] of [
    ['mqtt', 'depot/7', 'no context, publisher unknown, topic depot/7'],
    ['http', '/events', 'no context, publisher unknown, path /events'],
  ] as const) {
    const journey = journeyIn(
      storeOf(context, [
        message('process', system, destination, {
          service: 'device',
          trace: '1',
          id: '1',
          event: 'e',
          attributes: missing,
        }),
      ]),
      { trace: '1' },
    )
    assert.deepEqual(
      journey.findings.map(({ code, title, hop }) => ({ code, title, hop })),
      [{ code: 'no-context', title, hop: 0 }],
    )
    assert.match(journey.findings[0]?.detail ?? '', /The event's source is \/test/)
  }
})

test('an invalid context is shown as it was', (context) => {
  const attributes = { ...missing, 'throughline.invalid_context': '00-xyz' }
  const journey = journeyIn(
    storeOf(context, [message('process', 'kafka', 'orders', { trace: '1', id: '1', attributes })]),
    { trace: '1' },
  )
  assert.deepEqual(
    journey.findings.map(({ code, title }) => [code, title]),
    [['invalid-context', 'invalid context "00-xyz", publisher unknown, topic orders']],
  )
})

test('with one service not exporting, the hops on both sides of it say so', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'readings', { service: 'webhook', trace: '1', id: '1', event: 'e' }),
    message('process', 'mqtt', 'sensors/1', {
      service: 'device',
      trace: '1',
      id: '4',
      parent: '3',
      at: 9,
      event: 'e',
      links: [{ trace: '1', id: '3' }],
    }),
  ])
  const journey = journeyIn(store, { event: 'e' })
  assert.deepEqual(
    journey.findings.map(({ code, title, hop }) => [code, title, hop]),
    [['span-not-received', 'span not received: the sender of mqtt sensors/1, to which device refers', 1]],
  )
  assert.deepEqual(missingOf(journey), [
    'hop 2 (mqtt sensors/1): span not received: the sender of mqtt sensors/1, to which device refers',
    'hop 1 (kafka readings): sent by webhook, received by nobody that was seen',
  ])
})

test('a cause is named only with its evidence', (context) => {
  const cause = (
    spec: Partial<Parameters<typeof message>[3]>,
    nowUnixMs = Date.now() + 3_600_000,
    received = zeroUnixMs,
  ) => {
    const span = message('process', 'kafka', 't', {
      trace: '1',
      id: '1',
      links: [{ trace: '9', id: '9' }],
      ...spec,
    })
    const store = storeOf(context, [span], { now: () => received })
    return buildJourney(store, { kind: 'trace', traceId: traceId('1') }, { nowUnixMs })?.findings.map(
      ({ code }) => code,
    )
  }
  assert.deepEqual(cause({}), ['span-not-received'])
  assert.deepEqual(cause({ links: [{ trace: '9', id: '9', flags: 0x300 }] }), ['sampled-out'])
  assert.deepEqual(
    cause({ links: [{ trace: '9', id: '9', flags: 0 }] }),
    ['span-not-received'],
    'flags that are not filled in say nothing',
  )
  const python = { 'telemetry.sdk.language': 'python' }
  assert.deepEqual(cause({ resource: python, links: [{ trace: '9', id: '9', flags: 0x300 }] }), [
    'span-not-received',
  ])
  assert.deepEqual(cause({}, zeroUnixMs + 59_000), ['not-exported-yet'])
  assert.deepEqual(cause({}, zeroUnixMs + 61_000), ['span-not-received'])
  const sentAt = (ms: number) => ({ attributes: { 'throughline.sent_at': (zeroUnixMs + ms) * 1_000 } })
  assert.deepEqual(cause(sentAt(-120_000)), ['older-than-retention'])
  assert.deepEqual(cause(sentAt(-30_000)), ['span-not-received'])
})

test('that an event was created in a trace of somebody else is told, and takes nothing from its journey', (context) => {
  const store = storeOf(context, [
    message('send', 'http', '/e', { service: 'a', trace: '1', id: '1', event: 'e' }),
    message('process', 'http', '/e', {
      service: 'b',
      trace: '1',
      id: '2',
      parent: '1',
      event: 'e',
      links: [{ trace: '9', id: '9', attributes: { origin: true } }],
    }),
  ])
  const journey = journeyIn(store, { event: 'e' })
  assert.deepEqual(
    journey.findings.map(({ code, severity }) => [code, severity]),
    [['span-not-received', 'info']],
  )
  assert.deepEqual(missingOf(journey), [])
})

test('clocks that differ are named by the two services and by how much', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 't', { service: 'shop', trace: '1', id: '1', at: 100 }),
    message('process', 'kafka', 't', { service: 'pay', trace: '1', id: '2', parent: '1', at: 58 }),
  ])
  const { findings, hops } = journeyIn(store, { trace: '1' })
  assert.equal(hops[0]?.queueMs, -42)
  assert.deepEqual(
    findings.map(({ code, title }) => [code, title]),
    [['clock-skew', 'clocks of shop and pay differ by at least 42.0 ms']],
  )
})

test('two spans with one id, dropped links and a rejected message are findings', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 't', { service: 'shop', trace: '1', id: '1' }),
    message('process', 'kafka', 't', {
      service: 'pay',
      trace: '1',
      id: '2',
      parent: '1',
      at: 2,
      error: 'no such order',
      attributes: { 'throughline.outcome': 'reject' },
    }),
    { trace: '1', id: '3', parent: '2', name: 'one' },
    { trace: '1', id: '3', parent: '2', name: 'other', droppedLinks: 372 },
  ])
  const journey = journeyIn(store, { trace: '1' })
  assert.equal(journey.spans.length, 4)
  assert.deepEqual(journey.findings.map(({ code }) => code).sort(), [
    'dropped-links',
    'duplicate-span-id',
    'rejected',
  ])
  assert.match(journey.findings.find(({ code }) => code === 'rejected')?.detail ?? '', /no such order/)
  assert.match(
    journey.findings.find(({ code }) => code === 'dropped-links')?.title ?? '',
    /372 links of "other"/,
  )
  assert.equal(journey.hops[0]?.error, true)
})
