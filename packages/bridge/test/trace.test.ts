import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBroker, headerText } from '@throughline/core'
import { eventually, withSpans } from '@throughline/testkit'
import { memoryBridge } from './memory.ts'

const ORIGIN = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const ROUTE = `  copy:
    from: { connection: in, topics: a, group: g }
    to: { connection: out, topic: "t-{{ event.subject }}" }
    deadLetter: { connection: out, topic: dead }
`

test('a route is one trace with what came before: process under the sender, send under process, named by the template', async () => {
  await withSpans(async (spans) => {
    const { bridge, in: source, out } = await memoryBridge(ROUTE)
    await using broker = createBroker(source)
    const publisher = broker.publisher({ destination: 'a' })
    await publisher.publish({ type: 't', source: '/s', subject: 'x', id: '1', traceparent: ORIGIN })
    await eventually(() => assert.equal(source.unsettled('g'), 0))
    await bridge.close()
    const [root] = spans.tree()
    assert.equal(root?.name, 'send a')
    const [process] = root?.children ?? []
    assert.equal(process?.name, 'process a')
    assert.equal(process?.kind, 'CONSUMER')
    const [send] = process?.children ?? []
    assert.equal(send?.name, 'send t-{event.subject}')
    assert.equal(send?.kind, 'PRODUCER')
    assert.equal(send?.trace, root?.trace)
    assert.equal(send?.attributes?.['messaging.destination.name'], 't-x')
    assert.equal(send?.attributes?.['messaging.destination.template'], 't-{event.subject}')
    assert.equal(send?.attributes?.['cloudevents.event_id'], '1')
    assert.equal(spans.finished().length, 3)

    const [message] = out.messages('t-x')
    assert.equal(headerText(message?.headers ?? [], 'ce_traceparent'), ORIGIN)
    const sent = spans.named('send t-{event.subject}')[0]?.spanContext()
    const hops = message?.headers.filter(([name]) => name === 'traceparent')
    assert.deepEqual(hops, [['traceparent', `00-${sent?.traceId}-${sent?.spanId}-01`]])
  })
})

test('a dead letter is of the same trace and links back to the attempt that failed', async () => {
  await withSpans(async (spans) => {
    const { bridge, in: source } = await memoryBridge(ROUTE)
    await using broker = createBroker(source)
    await broker.publisher({ destination: 'a' }).publish({ type: 't', source: '/s', subject: 'no topic' })
    await eventually(() => assert.equal(source.unsettled('g'), 0))
    await bridge.close()
    const [letter] = spans.named('send dead')
    const [failed] = spans.named('process a')
    assert.equal(letter?.spanContext().traceId, failed?.spanContext().traceId)
    assert.equal(letter?.links[0]?.context.spanId, failed?.spanContext().spanId)
    assert.equal(failed?.attributes['error.type'], 'TL_TEMPLATE')
    assert.equal(failed?.attributes['throughline.outcome'], 'reject')
  })
})

test('trust: link begins a new trace that links to the foreign one', async () => {
  await withSpans(async (spans) => {
    const { bridge, in: source } = await memoryBridge(`${ROUTE}    trace: { trust: link }\n`)
    await using broker = createBroker(source)
    await broker.publisher({ destination: 'a' }).publish({ type: 't', source: '/s', subject: 'x' })
    await eventually(() => assert.equal(source.unsettled('g'), 0))
    await bridge.close()
    const [sent] = spans.named('send a')
    const [process] = spans.named('process a')
    assert.notEqual(process?.spanContext().traceId, sent?.spanContext().traceId)
    assert.equal(process?.links[0]?.context.spanId, sent?.spanContext().spanId)
  })
})
