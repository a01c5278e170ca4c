import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { APPLICATION } from '@throughline/core/tracing'
import { recordSpans, withSpans } from '@throughline/testkit'
import { headersOf } from '../../src/messages/headers.ts'
import { createProcesses, messageContext, type Outcomes, runHandler } from '../../src/messages/processes.ts'
import type { ClientInstrumentationConfig } from '../../src/options.ts'
import { kafka } from '../../src/systems/kafka.ts'

recordSpans()
const hop = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const origin = { traceId: '1af7651916cd43dd8448eb211c80319c', spanId: 'c7ad6b7169203331' }
const traceparentOf = ({ traceId, spanId }: typeof hop) => `00-${traceId}-${spanId}-01`

function processesOf(config: ClientInstrumentationConfig = {}) {
  return createProcesses({ system: kafka, connection: {} }, {}, config, APPLICATION)
}

function arrived(body = 'one') {
  const message = { headers: headersOf({ traceparent: traceparentOf(hop) }), body: Buffer.from(body) }
  return { delivery: { message, position: { destination: 'orders' }, attempt: 1 }, own: { body } }
}

function handled<Result>(run: () => Result, outcomes?: Outcomes): Result {
  return runHandler(processesOf().one(arrived()) ?? assert.fail(), run, outcomes)
}

test('a handler runs in the context of its message, and gives and throws what it does', () =>
  withSpans((spans) => {
    assert.equal(
      handled(() => trace.getSpan(context.active())?.spanContext().traceId),
      hop.traceId,
    )
    const error = new TypeError('thrown')
    assert.throws(
      () =>
        handled(
          () => {
            throw error
          },
          { threw: 'release' },
        ),
      (thrown) => thrown === error,
    )
    const [returned, threw] = spans.finished()
    assert.equal(returned?.attributes['throughline.outcome'], undefined)
    assert.equal(threw?.attributes['throughline.outcome'], 'release')
    assert.equal(threw?.status.message, 'thrown')
  }))

test('a span ends when the promise of its handler is settled, with what is known by then', () =>
  withSpans(async (spans) => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const outcomes: { returned?: 'accept' } = {}
    const result = handled(() => promise, outcomes)
    assert.deepEqual(spans.finished(), [])
    outcomes.returned = 'accept'
    resolve(7)
    assert.equal(await result, 7)
    assert.equal(spans.finished()[0]?.attributes['throughline.outcome'], 'accept')
  }))

test('a promise that is rejected with nothing is a failure all the same', () =>
  withSpans(async (spans) => {
    const result = handled(() => Promise.reject())
    assert.equal(await result.catch((error: unknown) => error ?? 'nothing'), 'nothing')
    assert.equal(spans.finished()[0]?.status.message, 'undefined')
  }))

test('what has a `then` and is no promise is followed where the client awaits it, and left alone where not', () =>
  withSpans(async (spans) => {
    let started = 0
    // biome-ignore lint/suspicious/noThenProperty: as queries have one, which starts them
    const query = { then: (resolve: (value: string) => void) => void resolve(`started ${++started}`) }
    assert.equal(
      handled(() => query),
      query,
    )
    assert.equal(started, 0)
    assert.equal(spans.finished().length, 1)
    handled(() => query, { awaits: true })
    assert.equal(started, 1)
    assert.equal(spans.finished().length, 2)
  }))

test('a fault in what is told of the end goes no further', () =>
  withSpans((spans) => {
    const fault = (): never => {
      throw new Error('injected')
    }
    assert.equal(
      handled(() => 7, { onEnd: fault }),
      7,
    )
    assert.equal(spans.finished().length, 1)
  }))

test('an event in structured mode is told, and its origin linked to', () =>
  withSpans((spans) => {
    const event = { specversion: '1.0', id: '1', source: '/a', type: 't', traceparent: traceparentOf(origin) }
    const body = JSON.stringify(event)
    processesOf().one(arrived(body))?.end()
    processesOf({ trust: 'ignore' }).one(arrived(body))?.end()
    const [span, untrusted] = spans.finished()
    assert.equal(span?.attributes['cloudevents.event_id'], '1')
    assert.equal(span?.attributes['messaging.message.id'], '1')
    assert.deepEqual(
      span?.links.map((link) => link.context.spanId),
      [hop.spanId, origin.spanId],
    )
    assert.deepEqual(span?.links[1]?.attributes, { origin: true })
    assert.deepEqual(untrusted?.links, [])
  }))

test('messages of a loop and of a batch keep their contexts', () =>
  withSpans(() => {
    const handled = arrived()
    processesOf().one(handled)?.end()
    assert.equal(messageContext(handled.own), context.active())
    const looped = { ...arrived(), isLooped: true }
    processesOf().one(looped)?.end()
    assert.equal(trace.getSpan(messageContext(looped.own))?.spanContext().traceId, hop.traceId)
    const members = [arrived(), arrived()]
    processesOf().batch(members)?.end()
    for (const { own } of members) {
      assert.equal(trace.getSpan(messageContext(own))?.spanContext().spanId, hop.spanId)
    }
    assert.equal(processesOf().batch([]), undefined)
  }))
