import { type Header, parseTraceparent, parseTraceState } from '@throughline/core'
import { CommandError, exitCodes } from './failure.ts'

/** A hop context as its three headers' texts (W3C Trace Context level 2, W3C Baggage). */
export interface ContextTexts {
  readonly traceparent?: string
  readonly tracestate?: string
  readonly baggage?: string
}

/** The headers that carry it. Throws CommandError, naming what is wrong, for a text that is not valid. */
export function contextHeaders({ traceparent, tracestate, baggage }: ContextTexts): readonly Header[] {
  const problem =
    (traceparent === undefined ? undefined : traceparentProblem(traceparent)) ??
    (tracestate === undefined ? undefined : tracestateProblem(tracestate)) ??
    (baggage === undefined ? undefined : baggageProblem(baggage)) ??
    (tracestate !== undefined && traceparent === undefined ? 'a tracestate needs a traceparent' : undefined)
  if (problem !== undefined) throw new CommandError('TL_BAD_CONTEXT', problem, exitCodes.usage)
  return Object.entries({ traceparent, tracestate, baggage }).flatMap(([name, text]): Header[] =>
    text === undefined ? [] : [[name, text]],
  )
}

/** What is wrong with a `traceparent`, in words; undefined where it is valid. */
export function traceparentProblem(text: string): string | undefined {
  if (parseTraceparent(text) !== undefined) return undefined
  const [version = '', traceId = '', spanId = '', flags = ''] = text.split('-')
  const wrong =
    idProblem('version', version, 2) ??
    (version === 'ff' ? 'the version ff is forbidden' : undefined) ??
    idProblem('trace id', traceId, 32) ??
    idProblem('span id', spanId, 16) ??
    idProblem('flags', flags, 2) ??
    'there is more after the flags than version 00 has'
  return `the traceparent is not valid: ${wrong} (W3C Trace Context §3.2, expected 00-<32 hex digits>-<16 hex digits>-01)`
}

function idProblem(what: string, text: string, digits: number): string | undefined {
  if (text === '') return `it has no ${what}`
  if (text.length !== digits) return `the ${what}: ${text.length} characters, not ${digits}`
  if (/^[0-9a-f]*[A-F]/.test(text)) return `the ${what} has upper-case digits`
  if (!/^[0-9a-f]+$/.test(text)) return `the ${what} is not hexadecimal`
  // Zero is a legal version and legal flags.
  return digits > 2 && /^0+$/.test(text) ? `the ${what} is all zeros` : undefined
}

/** What is wrong with a `tracestate`, in words; undefined where it is valid. */
export function tracestateProblem(text: string): string | undefined {
  if (parseTraceState(text) !== null) return undefined
  const bad = text.split(',').find((member) => parseTraceState(member) === null)
  const wrong = bad === undefined ? 'it has more than 32 members' : `${quoted(bad.trim())} is no key=value`
  return `the tracestate is not valid: ${wrong} (W3C Trace Context §3.3)`
}

// W3C Baggage §3.2.1: a token, baggage-octets, properties behind semicolons.
const TOKEN = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`
const VALUE = String.raw`[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*`
const BAGGAGE_MEMBER = new RegExp(
  String.raw`^[ \t]*${TOKEN}[ \t]*=[ \t]*${VALUE}[ \t]*(;[ \t]*${TOKEN}[ \t]*(=[ \t]*${VALUE}[ \t]*)?)*$`,
)

/** What is wrong with a `baggage`, in words; undefined where it is valid. */
export function baggageProblem(text: string): string | undefined {
  const bad = text.split(',').find((member) => !BAGGAGE_MEMBER.test(member))
  if (bad === undefined) return undefined
  return `the baggage is not valid: ${quoted(bad.trim())} is no key=value with a percent-encoded value (W3C Baggage §3.2)`
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
