import { context as contexts, INVALID_TRACEID } from '@opentelemetry/api'
import type { PublishResult } from '@throughline/core'
import {
  ATTEMPT_OF_HEADER,
  type InjectedContext,
  injectedSpan,
  microsText,
  REPLAY_HEADER,
  type Scope,
  SENT_AT_HEADER,
  type SendTracer,
  type Sent,
  type SentBatch,
  sendTracer,
  unixMs,
} from '@throughline/core/tracing'
import { guarded, guardedHook } from '../guard.ts'
import type { ClientInstrumentationConfig } from '../options.ts'
import { ignores, templateOf } from './destinations.ts'
import { type GivenContext, givenContext, type HandledMessage, NONE_GIVEN } from './handled.ts'
import { type Outgoing, SentMessage } from './outgoing.ts'
import type { Client } from './system.ts'

/** What a message is to be sent with: headers in place of those named. Null: it goes as it is. */
export type Hop = InjectedContext | null

export interface Send {
  readonly hop: Hop
  /** Ends the span with what became of the message. `endMs`: when, where that is past. */
  end(result: PublishResult<Error>, endMs?: number): void
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

const TIME_ALONE: ReadonlySet<string> = new Set([SENT_AT_HEADER])

/** A client may send to any number of destinations. */
const MAX_DESTINATIONS = 1000
/** So many are told apart in its metrics without a template: routing keys would take all that an SDK keeps. */
const MAX_NAMED = 200

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
  const named = new Map<string, SendTracer>()
  const shared = new Map<string | undefined, SendTracer>()
  const replacing = namesReplaced(SENT_AT_HEADER)
  const replacingCopied = namesReplaced(SENT_AT_HEADER, ATTEMPT_OF_HEADER)
  const replacingReplayed = namesReplaced(SENT_AT_HEADER, ATTEMPT_OF_HEADER, REPLAY_HEADER)
  const replacingCorrelated = namesReplaced(correlationHeader ?? SENT_AT_HEADER)

  /** Null where the destination is ignored. */
  function tracerOf(destination: string): SendTracer | null {
    let tracer = tracers.get(destination)
    if (tracer === undefined) {
      tracer = named.get(destination) ?? (isIgnored(destination) ? null : createTracer(destination))
      if (tracers.size >= MAX_DESTINATIONS) tracers.clear()
      tracers.set(destination, tracer)
    }
    return tracer
  }

  function createTracer(destination: string): SendTracer {
    const template = templateOf(config, destination)
    const { capture } = config
    const telemetry = {
      ...(template === undefined ? {} : { template }),
      ...(capture === undefined ? {} : { capture }),
    }
    const isNamed = template === undefined && named.size < MAX_NAMED
    if (!system.hasManyDestinations && (template !== undefined || isNamed)) {
      const own = sendTracer(transport, { destination }, telemetry, scope)
      if (isNamed) named.set(destination, own)
      return own
    }
    // Those of one name share a tracer, whose own destination is none of theirs: its metrics name them by the template alone.
    let tracer = shared.get(template)
    if (tracer === undefined) {
      tracer = sendTracer(transport, { destination: '' }, telemetry, scope)
      if (shared.size >= MAX_DESTINATIONS) shared.clear()
      shared.set(template, tracer)
    }
    return tracer
  }

  function hopOf({ span, parent, startMs }: Sent, outgoing: Outgoing, given: GivenContext): Hop {
    const { destination, own, headers: ofMessage, isDated = false } = outgoing
    const saysSentAt = system.saysSentAt || isDated
    if (producerHook !== undefined && span.isRecording()) {
      guardedHook('producerHook', () => producerHook(span, { destination, message: own }))
    }
    if (given.created !== undefined) {
      // Its context is its own, the time came with headers that were copied.
      if (!ofMessage.some(([name]) => name.toLowerCase() === SENT_AT_HEADER)) return null
      return { headers: saysSentAt ? [[SENT_AT_HEADER, microsText(startMs)]] : [], replaces: TIME_ALONE }
    }
    const injected = injectedSpan(parent, span, propagate)
    const replaces = replacingOf(given.copied)(injected.replaces)
    const traceId = correlationHeader === undefined ? INVALID_TRACEID : span.spanContext().traceId
    if (!saysSentAt && traceId === INVALID_TRACEID) return { headers: injected.headers, replaces }
    const headers = [...injected.headers]
    if (saysSentAt) headers.push([SENT_AT_HEADER, microsText(startMs)])
    if (correlationHeader === undefined || traceId === INVALID_TRACEID) return { headers, replaces }
    headers.push([correlationHeader, traceId])
    return { headers, replaces: replacingCorrelated(replaces) }
  }

  /** What was copied tells of the hop before, so it goes also where none is written; what the application has added stays. */
  function replacingOf(copied: HandledMessage | undefined): typeof replacing {
    if (copied === undefined) return replacing
    return copied.headers.some(([name]) => name.toLowerCase() === REPLAY_HEADER)
      ? replacingReplayed
      : replacingCopied
  }

  function startOne(outgoing: Outgoing): Send | undefined {
    const tracer = tracerOf(outgoing.destination)
    if (tracer === null) return undefined
    const active = outgoing.context ?? contexts.active()
    const given = givenContext(outgoing.headers, active)
    const sent = tracer.start(new SentMessage(outgoing, system, given.behalf), active, given.created)
    return {
      // Its span goes on where a propagator fails: the message is what it was.
      hop: guarded('the context of a message', () => hopOf(sent, outgoing, given)) ?? null,
      end: (result, endMs = unixMs()) =>
        guarded('the end of a send span', () => tracer.end(sent, result, endMs)),
    }
  }

  /** To one destination, with a `create` span each. */
  function startBatch(tracer: SendTracer, outgoing: readonly Outgoing[]): SendBatch {
    const active = contexts.active()
    const hops: Hop[] = outgoing.map(() => null)
    const given = outgoing.map(({ headers }) => givenContext(headers, active))
    const batch: SentBatch = tracer.startBatch(
      outgoing.map((each, index) => new SentMessage(each, system, given[index]?.behalf)),
      active,
      (sent, index) => {
        const own = outgoing[index]
        if (own === undefined) return
        const hop = guarded('the context of a message', () => hopOf(sent, own, given[index] ?? NONE_GIVEN))
        hops[index] = hop ?? null
      },
      (index) => given[index]?.created,
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

  /** To one destination, with a `send` span each. */
  function startEach(outgoing: readonly Outgoing[]): SendBatch {
    const sends = outgoing.map(startOne)
    return {
      hops: sends.map((send) => send?.hop ?? null),
      end(results) {
        for (const [index, send] of sends.entries()) {
          const result = 'ok' in results ? results : results[index]
          if (result !== undefined) send?.end(result)
        }
      },
    }
  }

  function startOf(destination: string, outgoing: readonly Outgoing[]): SendBatch | undefined {
    const tracer = tracerOf(destination)
    if (tracer === null) return undefined
    return createSpans && outgoing.length > 1 ? startBatch(tracer, outgoing) : startEach(outgoing)
  }

  function startAll(outgoing: readonly Outgoing[]): SendBatch | undefined {
    const [first] = outgoing
    if (first === undefined) return undefined
    const { destination } = first
    if (outgoing.every((each) => each.destination === destination)) return startOf(destination, outgoing)
    const hops: Hop[] = outgoing.map(() => null)
    const groups: { readonly indices: readonly number[]; readonly batch: SendBatch }[] = []
    for (const [destination, members] of Map.groupBy(outgoing.entries(), ([, each]) => each.destination)) {
      const batch = startOf(
        destination,
        members.map(([, each]) => each),
      )
      if (batch === undefined) continue
      const indices = members.map(([index]) => index)
      for (const [place, index] of indices.entries()) hops[index] = batch.hops[place] ?? null
      groups.push({ indices, batch })
    }
    return {
      hops,
      end(results) {
        for (const { indices, batch } of groups) {
          batch.end('ok' in results ? results : indices.flatMap((index) => results[index] ?? []))
        }
      },
    }
  }

  return {
    one: (outgoing) => guarded('the start of a send span', () => startOne(outgoing)),
    all: (outgoing) => guarded('the start of send spans', () => startAll(outgoing)),
  }
}

/** A set of names with more names in it, made once for each set that it is asked for in turn. */
function namesReplaced(...more: readonly string[]): (names: ReadonlySet<string>) => ReadonlySet<string> {
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
