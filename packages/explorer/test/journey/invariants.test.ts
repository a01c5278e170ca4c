import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderJourneyText, toJourneyJson } from '@throughline/explorer'
import fc from 'fast-check'
import { buildJourney } from '../../src/journey/build.ts'
import { summaryOf } from '../../src/journey/summary.ts'
import { recordsOf, type SpanSpec, traceId } from '../otlp-json.ts'
import { temporaryStore } from '../temporary.ts'

const id = fc.integer({ min: 1, max: 12 }).map(String)
const trace = fc.integer({ min: 1, max: 4 }).map(String)
const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const attributes = fc.record(
  {
    'messaging.system': oneOf('kafka', 'mqtt', 'http', 'rabbitmq'),
    'messaging.operation.type': oneOf('create', 'send', 'receive', 'process', 'settle'),
    'messaging.destination.name': oneOf('a', 'b'),
    'messaging.batch.message_count': oneOf(1, 3),
    'cloudevents.event_id': oneOf('e-1', 'e-2'),
    'throughline.attempt': oneOf(1, 2),
    'throughline.missing_context': fc.boolean(),
    'throughline.outcome': oneOf('accept', 'reject'),
    'throughline.sent_at': oneOf(1_767_225_600_000_000, 1_767_225_599_000_000, -1, 0.5),
    'url.full': oneOf('http://h/p', 'nonsense'),
  },
  { requiredKeys: [] },
)
const link = fc.record({
  trace,
  id,
  flags: oneOf(0, 0x101, 0x300),
  attributes: fc.record(
    { retry: fc.boolean(), replay: fc.boolean(), origin: fc.boolean() },
    { requiredKeys: [] },
  ),
})
const span: fc.Arbitrary<SpanSpec> = fc.record(
  {
    trace,
    id,
    parent: id,
    service: oneOf('one', 'two', 'three'),
    kind: oneOf('INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'),
    at: fc.integer({ min: 0, max: 50 }),
    ms: fc.integer({ min: -5, max: 20 }),
    attributes,
    links: fc.array(link, { maxLength: 4 }),
    error: fc.constant('no'),
  },
  { requiredKeys: ['trace', 'id'] },
)

test('whatever spans there are, a journey is made of them that agrees with itself', (context) => {
  fc.assert(
    fc.property(
      fc.array(span, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      (specs, budget) => {
        const store = temporaryStore(context)
        store.append(recordsOf(specs))
        const starts = [
          { kind: 'event', event: { id: 'e-1', source: null } },
          { kind: 'trace', traceId: traceId(specs[0]?.trace ?? '') },
        ] as const
        for (const start of starts) {
          const journey = buildJourney(store, start, { budget })
          if (!journey) continue
          const { totals, spans, edges, hops, findings } = journey
          assert.ok(spans.length > 0 && spans.length <= budget)
          assert.ok(Math.abs(totals.workMs + totals.queueMs + totals.waitMs - totals.durationMs) < 1e-6)
          const known = new Set(spans.map((one) => one.traceId + one.spanId))
          for (const { from, to } of edges)
            assert.ok(known.has(from.traceId + from.spanId) && known.has(to.traceId + to.spanId))
          for (const one of spans)
            assert.ok(one.durationMs >= 0 && one.selfMs >= 0 && one.selfMs <= one.durationMs + 1e-6)
          hops.forEach((hop, index) => {
            assert.equal(hop.index, index)
            assert.ok(hop.send !== null || hop.process !== null)
          })
          const pairs = hops.map(
            ({ send, process }) => `${send?.spanId} ${process?.traceId} ${process?.spanId} ${send?.traceId}`,
          )
          // Where an id was used twice, two hops may look alike.
          if (known.size === spans.length)
            assert.equal(new Set(pairs).size, pairs.length, 'no hop is there twice')
          for (const { hop } of findings) assert.ok(hop === null || hop < hops.length)
          assert.ok(renderJourneyText(journey).length > 0 && toJourneyJson(journey).spans === spans.length)
          assert.equal(summaryOf(journey).spanCount, spans.length)
        }
      },
    ),
    { numRuns: 150, seed: 20_261_121 },
  )
})
