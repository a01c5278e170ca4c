import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { context, propagation, trace } from '@opentelemetry/api'
import {
  type CloudEvent,
  type ContentMode,
  type EventHandler,
  type EventPublisher,
  encodeJsonEvent,
  eventFromJson,
  type Message,
} from '@throughline/core'
import { eventually, type OtlpSink, otlpSink, recordSpans } from '@throughline/testkit'
import { z } from 'zod'
import { afterMode, comparable, events, typed } from './events.ts'
import { type Language, startProgram } from './program.ts'

/** One transport, both ways. The strangers' programs are `<transport>_producer` and `<transport>_consumer`. */
export interface Wire {
  readonly transport: string
  /** Subscribes with ours; gives the arguments of the producer that sends to it. */
  subscribe(handler: EventHandler): Promise<{ readonly producerArgs: readonly string[] } & AsyncDisposable>
  /** The way to a consumer: its arguments, and our publisher once it is ready, by what it printed. */
  route(count: number): Promise<{
    readonly consumerArgs: readonly string[]
    publisher(ready: Ready): EventPublisher
  }>
}

const ids = z.object({ traceId: z.string(), spanId: z.string() })
const readyLine = z.object({ ready: z.literal(true), url: z.string().optional() })
const sentLine = z.object({ id: z.string(), span: ids })
const receivedLine = z.object({
  mode: z.enum(['binary', 'structured']),
  event: z.unknown(),
  traceparents: z.array(z.string()),
  baggage: z.record(z.string(), z.string()),
  span: ids,
})
/** What our handler got. */
interface Arrival {
  readonly event: CloudEvent
  readonly message: Message
  readonly tenant: string | undefined
  readonly spanId: string
}

export type Ready = z.infer<typeof readyLine>

const MODES = ['binary', 'structured'] as const
const sendings = MODES.flatMap((mode) =>
  [...events, typed].map((event) => ({ mode, event: named(event, mode) })),
)

/** Ids tell apart the same event in two modes. */
function named(event: CloudEvent, mode: ContentMode): CloudEvent {
  return { ...event, id: `${event.id}-${mode}` }
}

/** Defines the tests of one language over one transport; `asSent`: what its libraries make of an event beside the rules. */
export function testDirections(
  name: string,
  language: Language,
  wire: Wire,
  asSent: (event: CloudEvent, mode: ContentMode) => CloudEvent = (event) => event,
): void {
  const spans = recordSpans()
  let sink: OtlpSink
  before(async () => {
    sink = await otlpSink()
  })
  after(() => sink.close())

  const spanOfStranger = (spanId: string) => {
    const span = sink.spans().find((each) => each.spanId === spanId)
    assert.ok(span, `the sink has no span ${spanId}`)
    assert.equal(span.service, 'stranger')
    return span
  }

  test(`events that ${name} produces come to ours equal, in the same trace`, async () => {
    const handled: Arrival[] = []
    await using subscribed = await wire.subscribe((event, { message, span }) => {
      const tenant = propagation.getActiveBaggage()?.getEntry('tenant')?.value
      handled.push({ event, message, tenant, spanId: span.spanContext().spanId })
    })
    const input = sendings.map(({ mode, event }) => ({
      mode,
      event: JSON.parse(new TextDecoder().decode(encodeJsonEvent(afterMode(event, mode)))),
    }))
    await using producer = startProgram(language(`${wire.transport}_producer`), subscribed.producerArgs, {
      input: input.map((line) => `${JSON.stringify(line)}\n`).join(''),
      otlpUrl: sink.url,
    })
    const sent = (await collected(producer.lines)).map((line) => sentLine.parse(line))
    await producer.ended()
    await eventually(() => assert.equal(handled.length, sendings.length), { timeoutMs: 20_000 })

    for (const { mode, event } of sendings) {
      const arrived = handled.find((each) => each.event.id === event.id)
      const origin = sent.find((each) => each.id === event.id)
      assert.ok(arrived && origin, `${event.id} did not come through`)
      assert.deepEqual(comparable(arrived.event), comparable(asSent(afterMode(event, mode), mode)))
      assert.equal(
        arrived.message.headers.filter(([header]) => header.toLowerCase() === 'traceparent').length,
        1,
      )
      const process = await eventually(() => {
        const span = spans.finished().find((each) => each.spanContext().spanId === arrived.spanId)
        assert.ok(span)
        return span
      })
      const send = spanOfStranger(origin.span.spanId)
      assert.equal(send.kind, 'PRODUCER')
      assert.equal(process.spanContext().traceId, send.traceId)
      assert.equal(process.parentSpanContext?.spanId, send.spanId)
      assert.equal(process.attributes['throughline.missing_context'], undefined)
      assert.equal(arrived.tenant, 'blue')
    }
  })

  test(`events that ours publishes come to ${name} equal, in the same trace`, async () => {
    const { consumerArgs, publisher: connect } = await wire.route(sendings.length)
    await using consumer = startProgram(language(`${wire.transport}_consumer`), consumerArgs, {
      otlpUrl: sink.url,
    })
    const ready = await consumer.lines.next()
    if (ready.done) await consumer.ended()
    await using publisher = connect(readyLine.parse(ready.value))
    const traceIds = new Map<string, string>()
    for (const { mode, event } of sendings) {
      const root = trace.getTracer('test').startSpan(`publish ${event.id}`)
      const baggage = propagation.createBaggage({ tenant: { value: 'blue' } })
      const active = propagation.setBaggage(trace.setSpan(context.active(), root), baggage)
      await context.with(active, () => publisher.publish(event, { mode }))
      root.end()
      traceIds.set(event.id, root.spanContext().traceId)
    }
    const received = (await collected(consumer.lines)).map((line) => {
      const { event, ...rest } = receivedLine.parse(line)
      return { ...rest, event: eventFromJson(event) }
    })
    await consumer.ended()

    for (const { mode, event } of sendings) {
      const arrived = received.find((each) => each.event.id === event.id)
      assert.ok(arrived, `${event.id} did not come through`)
      assert.equal(arrived.mode, mode)
      assert.deepEqual(comparable(arrived.event), comparable(afterMode(event, mode)))
      const span = spanOfStranger(arrived.span.spanId)
      assert.equal(span.kind, 'CONSUMER')
      assert.equal(span.traceId, traceIds.get(event.id))
      assert.deepEqual(arrived.traceparents, [`00-${span.traceId}-${span.parentSpanId}-01`])
      assert.deepEqual(arrived.baggage, { tenant: 'blue' })
      const send = spans.finished().find((each) => each.spanContext().spanId === span.parentSpanId)
      assert.equal(send?.attributes['cloudevents.event_id'], event.id)
      assert.equal(send.spanContext().traceId, span.traceId)
    }
  })
}

async function collected(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const line of lines) all.push(line)
  return all
}
