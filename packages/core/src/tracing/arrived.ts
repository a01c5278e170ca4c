import { type Header, type HeaderValue, textOf } from '../message.ts'
import { ATTEMPT_OF_HEADER, REPLAY_HEADER, SENT_AT_HEADER } from './headers.ts'

/** What tracing reads of a message's headers. */
export interface ArrivedHeaders {
  /** All values of the name with commas between: a second `traceparent` makes it invalid, the other two are lists. */
  traceparent: string | undefined
  tracestate: string | undefined
  baggage: string | undefined
  /** The first value of the name, as those below. */
  sentAt: string | undefined
  attemptOf: string | undefined
  replay: string | undefined
}

/** Reads them in one pass, compared without case. It is done for every message: their lengths tell most headers apart. */
export function readHeaders(headers: readonly Header[]): ArrivedHeaders {
  const arrived: ArrivedHeaders = {
    traceparent: undefined,
    tracestate: undefined,
    baggage: undefined,
    sentAt: undefined,
    attemptOf: undefined,
    replay: undefined,
  }
  for (const [name, value] of headers) {
    switch (name.length) {
      case 'baggage'.length:
        if (isNamed(name, 'baggage')) arrived.baggage = joined(arrived.baggage, value)
        break
      case 'tracestate'.length:
        if (isNamed(name, 'tracestate')) arrived.tracestate = joined(arrived.tracestate, value)
        break
      case 'traceparent'.length:
        if (isNamed(name, 'traceparent')) arrived.traceparent = joined(arrived.traceparent, value)
        break
      case REPLAY_HEADER.length:
        if (isNamed(name, REPLAY_HEADER)) arrived.replay ??= textOf(value)
        break
      case SENT_AT_HEADER.length:
        if (isNamed(name, SENT_AT_HEADER)) arrived.sentAt ??= textOf(value)
        break
      case ATTEMPT_OF_HEADER.length:
        if (isNamed(name, ATTEMPT_OF_HEADER)) arrived.attemptOf ??= textOf(value)
        break
    }
  }
  return arrived
}

function isNamed(name: string, wanted: string): boolean {
  return name === wanted || name.toLowerCase() === wanted
}

/** Lists may be split over several headers (W3C Trace Context §3.3.1.5, W3C Baggage §3.2). */
export function joined(text: string | undefined, value: HeaderValue): string {
  return text === undefined ? textOf(value) : `${text},${textOf(value)}`
}
