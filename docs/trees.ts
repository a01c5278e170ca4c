import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import {
  BatchError,
  type Broker,
  type ConsumeOptions,
  createBroker,
  type EventHandler,
  type EventInput,
  SENT_AT_HEADER,
  withReplay,
} from '@throughline/core'
import { http } from '@throughline/http'
import {
  eventually,
  type MemoryPublisherOptions,
  type MemorySubscriberOptions,
  type MemoryTransport,
  memoryTransport,
  type SpanRecorder,
  withSpans,
} from '@throughline/testkit'
import { drawSpans } from './draw.ts'

/** A broker in memory: what it traces is the same on every transport. */
interface Stage {
  readonly transport: MemoryTransport
  readonly broker: Broker<MemoryPublisherOptions, MemorySubscriberOptions>
  /** Handles what has been published to `orders`, until all of it is settled. */
  handle(options?: ConsumeOptions, handler?: EventHandler): Promise<void>
}

const created: EventInput = {
  id: '4711',
  type: 'com.example.order.created',
  source: '/orders',
  time: '2026-03-01T09:30:00Z',
}
const orders = { destination: 'orders' }
const retry = { attempts: 3, minMs: 1, maxMs: 2 }
const elsewhere = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const many = (count: number): EventInput[] =>
  Array.from({ length: count }, (_, index) => ({ ...created, id: `${index}` }))

/** What the pictures of docs/tracing.md show: each runs, and its spans are drawn. */
const scenarios: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
  async 'one-hop'({ broker, handle, transport }) {
    await broker.publisher(orders).publish(created)
    const invoices = broker.publisher({ destination: 'invoices' })
    await broker.subscribe({ destinations: ['invoices'], group: 'mail' }, () => undefined)
    await handle({}, (event) => invoices.publish({ ...event, type: 'com.example.invoice' }))
    await eventually(() => assert.equal(transport.unsettled('mail'), 0))
  },

  async 'fan-out'({ broker, transport }) {
    const groups = ['inventory', 'payment', 'notification']
    for (const group of groups) await broker.subscribe({ destinations: ['orders'], group }, () => undefined)
    await broker.publisher(orders).publish(created)
    for (const group of groups) await eventually(() => assert.equal(transport.unsettled(group), 0))
  },

  async 'fan-in'({ broker, transport }) {
    const sums = broker.publisher({ destination: 'sums' })
    for (const event of many(3)) await broker.publisher(orders).publish(event)
    await broker.subscribeBatch({ destinations: ['orders'], maxMessages: 3 }, () => sums.publish(created))
    await eventually(() => assert.equal(transport.unsettled(), 0))
  },

  async several({ broker, handle }) {
    await broker.publisher(orders).publishAll(many(2))
    await handle()
  },

  async 'several-without-create'({ broker, handle }) {
    await broker.publisher({ ...orders, createSpans: false }).publishAll(many(2))
    await handle()
  },

  async 'several-300'({ broker }) {
    await broker.publisher(orders).publishAll(many(300))
  },

  async 'batch-300'({ broker, transport }) {
    const options = { destinations: ['orders'], window: 300, maxMessages: 300, maxWaitMs: 60_000 }
    for (const event of many(300)) await broker.publisher(orders).publish(event)
    await broker.subscribeBatch(options, () => undefined)
    await eventually(() => assert.equal(transport.unsettled(), 0))
  },

  async 'batch-failed'({ broker, transport }) {
    for (const event of many(2)) await broker.publisher(orders).publish(event)
    const options = { destinations: ['orders'], maxMessages: 2, retry: { ...retry, attempts: 2 } }
    const deadLetter = { publisher: broker.publisher({ destination: 'orders.dead' }) }
    await broker.subscribeBatch({ ...options, deadLetter }, (events) => {
      const index = events.findIndex(({ id }) => id === '1')
      throw new BatchError(new Map([[index, new Error('no such article')]]))
    })
    await eventually(() => assert.equal(transport.unsettled(), 0))
  },

  async link({ broker, handle }) {
    await broker.publisher(orders).publish(created)
    await handle({ linkage: 'link' })
  },

  async ignore({ broker, handle }) {
    await broker.publisher(orders).publish(created)
    await handle({ trust: 'ignore' })
  },

  async origin({ broker, handle, transport }) {
    await broker.publisher({ ...orders, origin: true }).publish(created)
    const copies = broker.publisher({ destination: 'copies', origin: true })
    await handle({ linkage: 'link' }, (event) => copies.publish(event))
    await broker.subscribe({ destinations: ['copies'], group: 'copies' }, () => undefined)
    await eventually(() => assert.equal(transport.unsettled('copies'), 0))
  },

  async replay({ broker, handle, transport }) {
    await broker.publisher({ destination: 'archive' }).publish(created)
    await broker.publisher(orders).publishMessages(transport.messages('archive').map(withReplay))
    await handle()
  },

  async delayed({ transport, handle }) {
    const { headers, body } = transport.binding.encode(
      { specversion: '1.0', ...created, id: '4711' },
      { mode: 'binary' },
    )
    const anHourAgo = String((Date.now() - 3_600_000) * 1000)
    const sent = [...headers, ['traceparent', elsewhere], [SENT_AT_HEADER, anHourAgo]] as const
    await transport.publisher(orders).publish([{ body, headers: sent }])
    await handle({ delayAfterMs: 60_000 })
  },

  async retry({ broker, handle }) {
    await broker.publisher(orders).publish(created)
    await handle({ retry }, (_, { attempt }) => {
      if (attempt < 3) throw new Error('the warehouse did not answer')
    })
  },

  async 'dead-letter'({ broker, handle, transport }) {
    await broker.publisher(orders).publish(created)
    const deadLetter = { publisher: broker.publisher({ destination: 'orders.dead' }) }
    await handle({ retry: { ...retry, attempts: 2 }, deadLetter }, () => {
      throw new Error('no such article')
    })
    await broker.subscribe({ destinations: ['orders.dead'], group: 'audit' }, () => undefined)
    await eventually(() => assert.equal(transport.unsettled('audit'), 0))
  },

  async 'server-span'() {
    const web = http()
    const { node } = await web.handler({ path: '/events' }, () => undefined)
    const tracer = trace.getTracer('an instrumentation of the server')
    const server = createServer((request, response) => {
      const parent = propagation.extract(ROOT_CONTEXT, request.headers)
      tracer.startActiveSpan('POST /events', { kind: SpanKind.SERVER }, parent, (span) => {
        response.once('close', () => span.end())
        node(request, response)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    await web.publisher({ url: `http://127.0.0.1:${address.port}/events` }).publish(created)
    await web.close()
    server.close()
    await once(server, 'close')
  },

  async missing({ transport, handle }) {
    const event = { specversion: '1.0' as const, ...created, id: '4711' }
    const message = transport.binding.encode(event, { mode: 'binary' })
    const bad = [...message.headers, ['traceparent', '00-0000-01']] as const
    await transport.publisher(orders).publish([message, { ...message, headers: bad }])
    await handle({ concurrency: 1 })
  },

  async invalid({ transport, broker, handle }) {
    const deadLetter = { publisher: broker.publisher({ destination: 'orders.dead' }) }
    const headers = [
      ['ce_specversion', '1.0'],
      ['ce_type', 't'],
      ['ce_source', '/orders'],
      ['traceparent', elsewhere],
    ] as const
    await transport.publisher(orders).publish([{ body: null, headers }])
    await handle({ deadLetter })
  },

  async settle({ broker, handle }) {
    await broker.publisher(orders).publish(created)
    await handle({ settleSpans: true })
  },
}

/** The pictures by their names. One after the other: they share the process's recorder. */
export async function drawTrees(): Promise<ReadonlyMap<string, string>> {
  const drawn = new Map<string, string>()
  for (const [name, run] of Object.entries(scenarios)) {
    const picture = await withSpans((spans) => play(run, spans))
    drawn.set(name, picture)
  }
  return drawn
}

async function play(run: (stage: Stage) => Promise<unknown>, spans: SpanRecorder): Promise<string> {
  const transport = memoryTransport()
  const broker = createBroker(transport)
  const stage: Stage = {
    transport,
    broker,
    async handle(options = {}, handler = () => undefined) {
      await broker.subscribe({ destinations: ['orders'], ...options }, handler)
      await eventually(() => assert.equal(transport.unsettled(), 0))
    },
  }
  await context.with(ROOT_CONTEXT, () => run(stage))
  await broker.close()
  return drawSpans(spans.finished())
}
