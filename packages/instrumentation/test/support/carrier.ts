import type { TestContext } from 'node:test'
import { propagation, type Span, trace } from '@opentelemetry/api'
import type { SpanNode } from '@throughline/testkit'
import type { ClientInstrumentation } from '../../src/instrumentation.ts'
import type { ClientInstrumentationConfig } from '../../src/options.ts'

/** A client in the tests of what all clients have in common. */
export interface Carrier {
  /** Its npm package. */
  readonly name: string
  readonly instrumentation: ClientInstrumentation
  readonly methods: Methods
  /** A destination of its own. Its clients have the options that the instrumentation has now, and are closed at the test's end. */
  open(t: TestContext): Promise<Lane>
}

/** Texts by their names: record headers, user properties, AMQP's headers. */
export type Headers = Readonly<Record<string, string>>

export interface Lane {
  readonly destination: string
  /** What the client itself writes into every message, beside the context. */
  readonly own: readonly string[]
  /** Spans of one message, but for where they hang. */
  readonly sent: PlainSpan
  readonly handled: PlainSpan
  /** Attributes that differ from run to run. */
  readonly omit: readonly string[]
  /** Has messages handled from now on. */
  consume(handle: (headers: Headers) => void): Promise<void>
  /** Sends one message, and waits until the broker has confirmed it. */
  publish(headers: Headers): Promise<void>
}

type PlainSpan = Required<Pick<SpanNode, 'name' | 'kind' | 'attributes'>>

/** What the methods of classes and modules are, and what they were before they were wrapped. */
export interface Methods {
  now(): readonly object[]
  readonly originals: readonly object[]
}

/** Loads a client while its instrumentation is off, to see it as it is without. */
export function unwrapped(instrumentation: ClientInstrumentation, load: () => readonly object[]): Methods {
  instrumentation.disable()
  const objects = load()
  const now = () => objects.map((object) => Object.getOwnPropertyDescriptors(object))
  const originals = now()
  instrumentation.enable()
  return { now, originals }
}

/** One message there and back, as the application sees it: its headers, and what was active in its handler. */
export interface RoundTrip extends Lane {
  readonly headers: Headers
  readonly span: Span | undefined
  readonly baggage: string | undefined
}

/** `around` runs the application's call. */
export async function roundTrip(
  t: TestContext,
  { instrumentation, open }: Carrier,
  config: ClientInstrumentationConfig = {},
  around: (publish: () => Promise<void>) => Promise<void> = (publish) => publish(),
): Promise<RoundTrip> {
  instrumentation.setConfig(config)
  t.after(() => instrumentation.setConfig({}))
  const lane = await open(t)
  const handled = Promise.withResolvers<RoundTrip>()
  await lane.consume((headers) => {
    const baggage = propagation.getActiveBaggage()?.getEntry('tenant')?.value
    handled.resolve({ ...lane, headers, span: trace.getActiveSpan(), baggage })
  })
  await around(() => lane.publish({ kept: 'as it was' }))
  return handled.promise
}
