import {
  type Context,
  context as contexts,
  createContextKey,
  isValidTraceId,
  type SpanContext,
} from '@opentelemetry/api'
import { type CloudEvent, type Header, type Message, type PublishResult, textOf } from '@throughline/core'
import {
  type InjectedContext,
  injectedContext,
  parseTraceparent,
  type Scope,
  SENT_AT_HEADER,
  type SendTracer,
  type Sent,
  type SentBatch,
  sendTracer,
  unixMs,
} from '@throughline/core/tracing'
import { eventOf } from './event.ts'
import { guarded } from './guard.ts'
import type { ClientInstrumentationConfig } from './options.ts'
import type { Client, System } from './system.ts'

/** Key of a process span's context: the hop contexts of what is being handled in it, so that a copied header is known. */
const HANDLED = createContextKey('throughline handled hop')

/** A context in which a message that arrived with `hop` is handled. */
export function withHandled(context: Context, hop: SpanContext | undefined): Context {
  return hop === undefined ? context : context.setValue(HANDLED, hop)
}

/** One message of the application's, as it gave it to its client. */
export interface Outgoing {
  readonly destination: string
  readonly headers: readonly Header[]
  /** Null or undefined: none, a Kafka tombstone. */
  readonly body: string | Uint8Array | null | undefined
  readonly contentType?: string | undefined
  readonly key?: string | Uint8Array | undefined
  readonly properties?: Message['properties']
  /** The client's own object. */
  readonly own: unknown
}

/** What a message is to be sent with: headers in place of those named. Null: it goes as it is. */
export type Hop = InjectedContext | null

export interface Send {
  readonly hop: Hop
  /** Ends the span with what became of the message. */
  end(result: PublishResult<Error>): void
}

export interface SendBatch {
  /** One for each message, in order. */
  readonly hops: readonly Hop[]
  /** Ends the spans: one result for each message, in order, or one for all. */
  end(results: readonly PublishResult<Error>[] | PublishResult<Error>): void
}

/** Starts the spans of what one client sends. Undefined: not traced, the message goes as it is. Never throws. */
export interface Sends {
  one(outgoing: Outgoing): Send | undefined
  /** Messages of one call, to any destinations. */
  all(outgoing: readonly Outgoing[]): SendBatch | undefined
}

/** A client may send to any number of destinations. */
const MAX_DESTINATIONS = 1000

/** Core's rules for sends, for one client of the application's. */
export function createSends(
  { system, connection }: Client,
  config: ClientInstrumentationConfig,
  scope: Scope,
): Sends {
  const { propagate = 'all', createSpans = true, correlationHeader, producerHook } = config
  const transport = {
    system: system.name,
    sendOperation: system.sendOperation,
    attributes: { ...system.attributes, connection },
  }
  const isIgnored = ignores(config.ignore)
  const tracers = new Map<string, SendTracer | null>()
  const namesReplaced = replacing([SENT_AT_HEADER])
  const namesCorrelated = replacing([
    SENT_AT_HEADER,
    ...(correlationHeader === undefined ? [] : [correlationHeader]),
  ])

  /** Null where the destination is ignored. */
  function tracerOf(destination: string): SendTracer | null {
    let tracer = tracers.get(destination)
    if (tracer === undefined) {
      const template = templateOf(config, destination)
      const { capture } = config
      const telemetry = {
        ...(template === undefined ? {} : { template }),
        ...(capture === undefined ? {} : { capture }),
      }
      tracer = isIgnored(destination) ? null : sendTracer(transport, { destination }, telemetry, scope)
      if (tracers.size >= MAX_DESTINATIONS) tracers.clear()
      tracers.set(destination, tracer)
    }
    return tracer
  }

  function hopOf({ span, context, startMs }: Sent, { destination, own }: Outgoing, isCreated: boolean): Hop {
    if (producerHook !== undefined && span.isRecording()) {
      guarded('producerHook', () => producerHook(span, { destination, message: own }))
    }
    if (isCreated) return null
    const injected = injectedContext(context, propagate)
    const headers = [...injected.headers]
    headers.push([SENT_AT_HEADER, String(Math.round(startMs * 1000))])
    const { traceId } = span.spanContext()
    if (correlationHeader === undefined || !isValidTraceId(traceId)) {
      return { headers, replaces: namesReplaced(injected.replaces) }
    }
    headers.push([correlationHeader, traceId])
    return { headers, replaces: namesCorrelated(injected.replaces) }
  }

  function startOne(outgoing: Outgoing): Send | undefined {
    const tracer = tracerOf(outgoing.destination)
    if (tracer === null) return undefined
    const active = contexts.active()
    const created = createdOf(outgoing.headers, active)
    const sent = tracer.start(messageOf(outgoing, system), active, created)
    return {
      hop: hopOf(sent, outgoing, created !== undefined),
      end: (result) => guarded('the end of a send span', () => tracer.end(sent, result, unixMs())),
    }
  }

  /** To one destination. */
  function startBatch(tracer: SendTracer, outgoing: readonly Outgoing[]): SendBatch {
    const active = contexts.active()
    const hops: Hop[] = []
    const created = outgoing.map(({ headers }) => createdOf(headers, active))
    const batch: SentBatch = tracer.startBatch(
      outgoing.map((each) => messageOf(each, system)),
      active,
      (sent, index) => {
        const own = outgoing[index]
        hops.push(own === undefined ? null : hopOf(sent, own, created[index] !== undefined))
      },
      (index) => created[index],
    )
    return {
      hops,
      end: (results) =>
        guarded('the end of a send span', () => {
          const each = 'ok' in results ? outgoing.map(() => results) : results
          tracer.endBatch(batch, each, unixMs())
        }),
    }
  }

  function startAll(outgoing: readonly Outgoing[]): SendBatch {
    const groups = Map.groupBy(outgoing.keys(), (index) => outgoing[index]?.destination ?? '')
    const hops: Hop[] = outgoing.map(() => null)
    const ends: ((resultOf: (index: number) => PublishResult<Error> | undefined) => void)[] = []
    for (const [destination, indices] of groups) {
      const members = indices.flatMap((index) => outgoing[index] ?? [])
      const tracer = tracerOf(destination)
      if (tracer === null) continue
      if (createSpans && members.length > 1) {
        const batch = startBatch(tracer, members)
        for (const [place, index] of indices.entries()) hops[index] = batch.hops[place] ?? null
        ends.push((resultOf) => batch.end(indices.flatMap((index) => resultOf(index) ?? [])))
      } else {
        for (const index of indices) {
          const own = outgoing[index]
          const send = own === undefined ? undefined : startOne(own)
          if (send === undefined) continue
          hops[index] = send.hop
          ends.push((resultOf) => {
            const result = resultOf(index)
            if (result !== undefined) send.end(result)
          })
        }
      }
    }
    return {
      hops,
      end(results) {
        for (const end of ends) end('ok' in results ? () => results : (index) => results[index])
      },
    }
  }

  return {
    one: (outgoing) => guarded('the start of a send span', () => startOne(outgoing)),
    all: (outgoing) => guarded('the start of send spans', () => startAll(outgoing)),
  }
}

/**
 * The context that the application has given a message itself, which it keeps (messaging conventions 1.44, custom
 * creation context). One that was copied with the headers of the message being handled is none: this send is its next hop.
 */
function createdOf(headers: readonly Header[], active: Context): SpanContext | undefined {
  for (const [name, value] of headers) {
    if (name.length !== 'traceparent'.length || name.toLowerCase() !== 'traceparent') continue
    const created = parseTraceparent(textOf(value))
    const handled = active.getValue(HANDLED)
    return created !== undefined && isSpan(handled, created) ? undefined : created
  }
  return undefined
}

function isSpan(handled: unknown, { spanId }: SpanContext): boolean {
  return typeof handled === 'object' && handled !== null && 'spanId' in handled && handled.spanId === spanId
}

/** As core sees it. What only a span that records asks for is made when it is asked for. */
function messageOf(
  { headers, contentType, key, properties, ...outgoing }: Outgoing,
  system: System,
): Message {
  let body: Uint8Array | null | undefined
  let event: CloudEvent | null | undefined
  const bytes = (): Uint8Array | null => (body ??= bytesOf(outgoing.body))
  return {
    headers,
    ...(contentType === undefined ? {} : { contentType }),
    ...(key === undefined ? {} : { key }),
    ...(properties === undefined ? {} : { properties }),
    get body() {
      return bytes()
    },
    get event() {
      event ??= eventOf(headers, contentType, bytes(), system.eventHeaders) ?? null
      return event ?? undefined
    },
  }
}

function bytesOf(body: string | Uint8Array | null | undefined): Uint8Array | null {
  return typeof body === 'string' ? Buffer.from(body) : (body ?? null)
}

/** A name set with more names in it, made once for each set that it is asked for in turn. */
function replacing(more: readonly string[]): (names: ReadonlySet<string>) => ReadonlySet<string> {
  let last: ReadonlySet<string> | undefined
  let made: ReadonlySet<string> = new Set()
  return (names) => {
    if (names !== last) {
      last = names
      made = new Set([...names, ...more.map((name) => name.toLowerCase())])
    }
    return made
  }
}

/** A hook that throws names nothing. */
export function templateOf(
  { template }: ClientInstrumentationConfig,
  destination: string,
): string | undefined {
  return template === undefined ? undefined : guarded('template', () => template(destination))
}

export function ignores(
  ignore: ClientInstrumentationConfig['ignore'] = [],
): (destination: string) => boolean {
  if (ignore.length === 0) return () => false
  return (destination) =>
    ignore.some((each) => (typeof each === 'string' ? each === destination : destination.search(each) >= 0))
}
