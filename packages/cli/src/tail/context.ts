import { propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { W3CBaggagePropagator } from '@opentelemetry/core'
import { type Header, parseTraceparent, parseTraceState, RANDOM_FLAG, textOf } from '@throughline/core'
import { baggageProblem, traceparentProblem, tracestateProblem } from '../context.ts'

/** A span that a `traceparent` names. */
export interface SeenSpan {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  /** The trace id is random (Trace Context level 2). */
  readonly random: boolean
}

/** The hop context of a message, by the letter of W3C. */
export interface SeenContext {
  readonly span?: SeenSpan
  readonly tracestate?: string
  readonly baggage: readonly (readonly [name: string, value: string])[]
  /** What is not valid, in words. */
  readonly problems: readonly string[]
}

const SAMPLED_FLAG = 0x01

export function contextOf(headers: readonly Header[]): SeenContext {
  const traceparents = valuesOf(headers, 'traceparent')
  const [traceparent] = traceparents
  const tracestate = listOf(headers, 'tracestate')
  const baggage = listOf(headers, 'baggage')
  const isOne = traceparents.length === 1 && traceparent !== undefined
  const span = isOne ? spanOf(traceparent) : undefined
  const state = span === undefined || tracestate === undefined ? undefined : parseTraceState(tracestate)
  const problems = [
    ...(traceparents.length > 1
      ? [`the message has ${traceparents.length} traceparent headers, which makes all of them invalid`]
      : []),
    ...(isOne ? [traceparentProblem(traceparent.trim())] : []),
    ...(tracestate === undefined ? [] : [tracestateProblem(tracestate)]),
    ...(tracestate !== undefined && span === undefined
      ? ['the tracestate goes with no valid traceparent']
      : []),
    ...(baggage === undefined ? [] : [baggageProblem(baggage)]),
  ].filter((problem) => problem !== undefined)
  return {
    ...(span === undefined ? {} : { span }),
    ...(state ? { tracestate: state.serialize() } : {}),
    baggage: baggage === undefined ? [] : entriesOf(baggage),
    problems,
  }
}

/** Undefined where it is not valid. */
export function spanOf(traceparent: unknown): SeenSpan | undefined {
  const parsed = parseTraceparent(typeof traceparent === 'string' ? traceparent.trim() : traceparent)
  if (parsed === undefined) return undefined
  const { traceId, spanId, traceFlags } = parsed
  return {
    traceId,
    spanId,
    sampled: (traceFlags & SAMPLED_FLAG) !== 0,
    random: (traceFlags & RANDOM_FLAG) !== 0,
  }
}

function valuesOf(headers: readonly Header[], wanted: string): readonly string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => textOf(value))
}

/** Lists may stand in several headers (W3C Trace Context §3.3.1.5, W3C Baggage §3.2). */
function listOf(headers: readonly Header[], wanted: string): string | undefined {
  const values = valuesOf(headers, wanted)
  return values.length === 0 ? undefined : values.join(',')
}

const propagator = new W3CBaggagePropagator()

function entriesOf(baggage: string): SeenContext['baggage'] {
  const context = propagator.extract(ROOT_CONTEXT, baggage, { get: (text) => text, keys: () => ['baggage'] })
  const entries = propagation.getBaggage(context)?.getAllEntries() ?? []
  return entries.map(([name, { value }]) => [name, value] as const)
}
