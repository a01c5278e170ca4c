import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { withSpans } from '@throughline/testkit'
import { instrument, processUnderServer } from './instrumentation.ts'

const instrumentation = new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true })
instrument(instrumentation)
const { http } = await import('@throughline/http')

test('inside the span of an instrumented server the process span is its child, and the hop a link', async () => {
  await withSpans(async (spans) => {
    const broker = http({ listen: '127.0.0.1:0' })
    await broker.subscribe({ path: '/events' }, () => {})
    await broker
      .publisher({ url: `http://127.0.0.1:${broker.address()?.port}/events` })
      .publish({ type: 't', source: '/s' })
    await broker.close()
    processUnderServer(spans)
  })
})

test('a batch at an instrumented server: the server’s span is the child of the send, each event’s process its own', async () => {
  await withSpans(async (spans) => {
    const broker = http({ listen: '127.0.0.1:0' })
    await broker.subscribe({ path: '/events' }, () => {})
    const inputs = ['1', '2'].map((id) => ({ id, type: 't', source: '/s' }))
    await broker
      .publisher({ url: `http://127.0.0.1:${broker.address()?.port}/events`, mode: 'batched' })
      .publishAll(inputs)
    await broker.close()
    const [first, second, send, more] = spans.tree()
    assert.equal(more, undefined)
    const server = send?.children?.[0]
    assert.deepEqual(
      [first, second, send, server].map((node) => `${node?.name} ${node?.kind}`),
      ['create /events PRODUCER', 'create /events PRODUCER', 'send /events CLIENT', 'POST SERVER'],
    )
    assert.deepEqual(
      server?.children?.map(({ name, links }) => [name, links]),
      [
        ['process /events', [{ to: 'create /events' }]],
        ['process /events', [{ to: 'create /events#2' }]],
      ],
    )
  })
})

test('a server that was started inside a span does not take that span for its requests’', async () => {
  await withSpans(async (spans) => {
    instrumentation.disable()
    const start = trace.getTracer('test').startSpan('start')
    const broker = http({ listen: '127.0.0.1:0' })
    await context.with(trace.setSpan(context.active(), start), () =>
      broker.subscribe({ path: '/events' }, () => {}),
    )
    start.end()
    const response = await fetch(`http://127.0.0.1:${broker.address()?.port}/events`, {
      method: 'POST',
      headers: { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' },
    })
    assert.equal(response.status, 204)
    await broker.close()
    assert.deepEqual(
      spans.tree().map(({ name, parent, children }) => [name, parent, children]),
      [
        ['start', null, undefined],
        ['process /events', null, undefined],
      ],
    )
  })
})
