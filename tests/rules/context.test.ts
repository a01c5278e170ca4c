import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { createEvent, type Header, headerText, type Message } from '@throughline/core'
import { eventually, type SpanNode, type SpanRecorder, withSpans } from '@throughline/testkit'
import { type Leg, legs } from './legs.ts'
import { event, processed, sent, shape } from './shape.ts'

/** What a context does that arrives with a message, and what of it goes on. */

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const REMOTE = `${TRACE}-${SPAN}`

interface Arrived {
  readonly tree: readonly SpanNode[]
  /** Trace id that the handler ran in. */
  readonly traceId: string | undefined
  readonly tenant: string | undefined
  /** Headers of the message that the handler published on. */
  readonly onward: readonly Header[]
}

/** A stranger's message with these headers, handled, and published on to a second destination. */
async function arrive(
  leg: Leg,
  spans: SpanRecorder,
  headers: readonly Header[],
  options: Parameters<Awaited<ReturnType<Leg['open']>>['subscribe']>[1] = {},
): Promise<Arrived> {
  const line = await leg.open()
  const next = await leg.open('next')
  const onward: Message[] = []
  let traceId: string | undefined
  let tenant: string | undefined
  {
    await using _ = line
    await using __ = next
    await next.subscribe('last', {}, (_event, { message }) => void onward.push(message))
    await line.subscribe('first', options, async (received) => {
      traceId = trace.getSpan(context.active())?.spanContext().traceId
      tenant = propagation.getActiveBaggage()?.getEntry('tenant')?.value
      await next.publisher({ correlationHeader: 'correlation_id' }).publish(received)
    })
    const stranger = line.stranger()
    const encoded = line.transport.binding.encode(createEvent(event('1')), { mode: 'binary' })
    const [result] = await stranger.publish([{ ...encoded, headers: [...encoded.headers, ...headers] }])
    assert.ok(result?.ok, 'published')
    await eventually(() => assert.equal(onward.length, 1))
    await stranger.close()
  }
  return {
    tree: shape(spans, { readings: line.names, next: next.names }),
    traceId,
    tenant,
    onward: onward[0]?.headers ?? [],
  }
}

/** The way from the process span on, which is the same however it began. */
const goesOn = (parts: Parameters<typeof processed>[2]) =>
  processed('1', 'readings', {
    ...parts,
    children: [
      sent('1', 'next', {
        parent: 'process readings',
        children: [processed('1', 'next', { parent: 'send next', links: [{ to: 'send next' }] })],
      }),
    ],
  })

for (const leg of legs) {
  describe(`a context that arrives over ${leg.system}`, () => {
    test('goes on: its trace, its state, its baggage and its random flag, in one header each', () =>
      withSpans(async (spans) => {
        const { tree, traceId, tenant, onward } = await arrive(leg, spans, [
          ['traceparent', `00-${TRACE}-${SPAN}-03`],
          ['tracestate', 'vendor=a,other@b=c'],
          ['baggage', 'tenant=acme'],
        ])
        assert.deepEqual(tree, [goesOn({ parent: REMOTE, links: [{ to: REMOTE }] })])
        assert.deepEqual([traceId, tenant], [TRACE, 'acme'])
        const values = (name: string) =>
          onward.filter(([each]) => each.toLowerCase() === name).map(([, value]) => String(value))
        const [sendNext] = spans.finished().filter(({ kind, name }) => kind === 3 && name.includes('next'))
        assert.deepEqual(values('traceparent'), [`00-${TRACE}-${sendNext?.spanContext().spanId}-03`])
        assert.deepEqual(values('tracestate'), ['vendor=a,other@b=c'])
        assert.deepEqual(values('baggage'), ['tenant=acme'])
        assert.deepEqual(values('correlation_id'), [TRACE])
      }))

    test('that is not sampled goes on so, and makes no span', () =>
      withSpans(async (spans) => {
        const { tree, traceId, onward } = await arrive(leg, spans, [
          ['traceparent', `00-${TRACE}-${SPAN}-00`],
        ])
        assert.deepEqual(tree, [])
        assert.equal(traceId, TRACE)
        assert.match(headerText(onward, 'traceparent') ?? '', new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
      }))

    test('is only linked where each consumer is to have a trace of its own', () =>
      withSpans(async (spans) => {
        const headers: Header[] = [
          ['traceparent', `00-${TRACE}-${SPAN}-01`],
          ['baggage', 'tenant=acme'],
        ]
        const { tree, traceId, tenant } = await arrive(leg, spans, headers, { linkage: 'link' })
        assert.deepEqual(tree, [goesOn({ links: [{ to: REMOTE }] })])
        assert.notEqual(traceId, TRACE)
        assert.equal(tenant, 'acme', 'the baggage of one’s own side stays')
      }))

    for (const [trust, links] of [
      ['link', [{ to: REMOTE }]],
      ['ignore', undefined],
    ] as const) {
      test(`of others is ${trust === 'link' ? 'only linked' : 'not looked at'} under trust: ${trust}, and its baggage dropped`, () =>
        withSpans(async (spans) => {
          const headers: Header[] = [
            ['traceparent', `00-${TRACE}-${SPAN}-01`],
            ['baggage', 'tenant=acme'],
          ]
          const { tree, traceId, tenant, onward } = await arrive(leg, spans, headers, { trust })
          assert.deepEqual(tree, [goesOn(links === undefined ? {} : { links })])
          assert.notEqual(traceId, TRACE)
          assert.equal(tenant, undefined)
          assert.equal(headerText(onward, 'baggage'), null)
        }))
    }

    test('is missing: the message is handled in a root span that says so', () =>
      withSpans(async (spans) => {
        const { tree } = await arrive(leg, spans, [])
        assert.deepEqual(tree, [goesOn({ attributes: { 'throughline.missing_context': true } })])
      }))

    test('is invalid: the same, with the value', () =>
      withSpans(async (spans) => {
        const { tree } = await arrive(leg, spans, [['traceparent', '00-xyz']])
        const attributes = {
          'throughline.missing_context': true,
          'throughline.invalid_context': '00-xyz',
        }
        assert.deepEqual(tree, [goesOn({ attributes })])
      }))

    test('belongs to its own message alone, among 1,000 handled at the same time', () =>
      withSpans(async (spans) => {
        const count = 1000
        const line = await leg.open()
        const seen = new Map<string, string | undefined>()
        const wrong: string[] = []
        {
          await using _ = line
          await line.subscribe('one', { concurrency: 100 }, async ({ id }, { span }) => {
            const look = () => {
              const here = trace.getSpan(context.active())
              const tenant = propagation.getActiveBaggage()?.getEntry('tenant')?.value
              if (here !== span || tenant !== id) wrong.push(`${id} saw the baggage of ${tenant}`)
            }
            look()
            for (let turn = 0; turn < 1 + (Number(id) % 3); turn++) {
              await new Promise(setImmediate)
              look()
            }
            seen.set(id, span.spanContext().traceId)
          })
          const publisher = line.publisher({ createSpans: false })
          await Promise.all(
            Array.from({ length: count }, (_, index) => {
              const baggage = propagation.createBaggage({ tenant: { value: `${index}` } })
              return publisher.publish(event(`${index}`), {
                context: propagation.setBaggage(ROOT_CONTEXT, baggage),
              })
            }),
          )
          await eventually(() => assert.equal(seen.size, count), { timeoutMs: 30_000 })
        }
        assert.deepEqual(wrong, [])
        const sends = spans.finished().filter(({ kind }) => kind === 3)
        assert.equal(sends.length, count)
        for (const send of sends) {
          assert.equal(seen.get(`${send.attributes['messaging.message.id']}`), send.spanContext().traceId)
        }
        assert.equal(new Set(seen.values()).size, count)
      }))
  })
}
