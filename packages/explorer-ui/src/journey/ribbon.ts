import type { JourneySpan, SpanRole } from '@throughline/explorer/api'
import { type JourneyModel, parentOf } from './model.ts'

/** A piece of the ribbon: at work (in a service's colour), in a queue, or neither. Shares of the whole, 0 to 1. */
export interface RibbonPiece {
  readonly kind: 'work' | 'queue' | 'wait'
  readonly serviceIndex: number
  readonly from: number
  readonly to: number
}

/** Roles in which a span works itself while none of its children runs; the others wait for somebody's answer. */
const WORKING: ReadonlySet<SpanRole> = new Set([
  'create',
  'process',
  'server',
  'internal',
] satisfies SpanRole[])

interface Mark {
  readonly ms: number
  readonly opens: boolean
  /** Null: a message on its way through a broker. */
  readonly span: JourneySpan | null
}

/**
 * What the time of a journey went into, in order, by the rule of its totals: work while a span is at it and none
 * of its children is, else queue while a message is on its way through a broker, else wait. To scale, but for
 * pieces too thin to be seen.
 */
export function ribbonPieces(model: JourneyModel): readonly RibbonPiece[] {
  const lengthMs = model.endMs - model.startMs
  if (lengthMs <= 0) return []
  const marks = marksOf(model)
  const pieces: RibbonPiece[] = []
  const crew = workers(model)
  let queued = 0
  for (const [index, mark] of marks.entries()) {
    if (mark.span === null) queued += mark.opens ? 1 : -1
    else crew.change(mark.span, mark.opens)
    const nextMs = marks[index + 1]?.ms ?? mark.ms
    if (nextMs <= mark.ms) continue
    const worker = crew.latest()
    join(pieces, {
      kind: worker !== null ? 'work' : queued > 0 ? 'queue' : 'wait',
      serviceIndex: worker === null ? 0 : (model.serviceIndex.get(worker.service) ?? 0),
      from: (mark.ms - model.startMs) / lengthMs,
      to: (nextMs - model.startMs) / lengthMs,
    })
  }
  return pieces.length > MAX_PIECES ? bucket(pieces) : widen(pieces)
}

function marksOf(model: JourneyModel): readonly Mark[] {
  const marks: Mark[] = []
  for (const span of model.journey.spans) {
    if (span.durationMs <= 0) continue
    marks.push({ ms: span.startMs, opens: true, span })
    marks.push({ ms: span.startMs + span.durationMs, opens: false, span })
  }
  for (const { kind, transport, sentMs, processedMs } of model.journey.hops) {
    if (kind !== 'message' || transport === 'http' || sentMs === null || processedMs === null) continue
    if (processedMs > sentMs) {
      marks.push({ ms: sentMs, opens: true, span: null }, { ms: processedMs, opens: false, span: null })
    }
  }
  return marks.sort((a, b) => a.ms - b.ms)
}

/** Keeps account of the spans that are at work themselves at a moment. */
function workers(model: JourneyModel) {
  const running = new Set<JourneySpan>()
  const below = new Map<JourneySpan, number>()
  const working = new Set<JourneySpan>()
  // In the order in which they began; those that have stopped since are dropped when they come to the top.
  const began: JourneySpan[] = []
  const review = (span: JourneySpan): void => {
    const works = running.has(span) && WORKING.has(span.role) && (below.get(span) ?? 0) === 0
    if (!works) working.delete(span)
    else if (!working.has(span)) {
      working.add(span)
      began.push(span)
    }
  }
  return {
    change(span: JourneySpan, opens: boolean): void {
      if (opens) running.add(span)
      else running.delete(span)
      review(span)
      const parent = parentOf(model, span)
      if (parent === null) return
      below.set(parent, (below.get(parent) ?? 0) + (opens ? 1 : -1))
      review(parent)
    },
    /** The one that began to work last; null when none is at work. */
    latest(): JourneySpan | null {
      for (let last = began.at(-1); last !== undefined; last = began.at(-1)) {
        if (working.has(last)) return last
        began.pop()
      }
      return null
    },
  }
}

/** Pieces shorter than this join what stands before them. */
const MIN_SHARE = 0.002
/** A piece is drawn at least this wide: 40 ms of work at the ends of 4 minutes in a queue should be seen. */
const MIN_DRAWN = 0.009

function join(pieces: RibbonPiece[], piece: RibbonPiece): void {
  const last = pieces.at(-1)
  if (last === undefined) pieces.push(piece)
  else if (last.kind === piece.kind && last.serviceIndex === piece.serviceIndex) {
    pieces[pieces.length - 1] = { ...last, to: piece.to }
  } else if (piece.to - piece.from < MIN_SHARE && last.to - last.from < MIN_SHARE) {
    // Of several slivers in a row, work says more than waiting.
    const kind = last.kind === 'work' ? last : piece
    pieces[pieces.length - 1] = { ...kind, from: last.from, to: piece.to }
  } else pieces.push(piece)
}

function widen(pieces: readonly RibbonPiece[]): readonly RibbonPiece[] {
  if (pieces.length * MIN_DRAWN > 0.5) return pieces
  const widths = pieces.map((piece) => Math.max(MIN_DRAWN, piece.to - piece.from))
  const total = widths.reduce((sum, width) => sum + width, 0)
  let from = 0
  return pieces.map((piece, index) => {
    const to = from + (widths[index] ?? 0) / total
    const drawn = { ...piece, from, to }
    from = to
    return drawn
  })
}

/** Beyond this many, pieces would be noise. */
const MAX_PIECES = 160
const BUCKETS = 120

/** Equal parts of the time, each drawn as what most of it went into. */
function bucket(pieces: readonly RibbonPiece[]): readonly RibbonPiece[] {
  const result: RibbonPiece[] = []
  let at = 0
  for (let n = 0; n < BUCKETS; n++) {
    const [from, to] = [n / BUCKETS, (n + 1) / BUCKETS]
    const shares = new Map<string, { piece: RibbonPiece; share: number }>()
    while ((pieces[at]?.to ?? 1) <= from && at < pieces.length - 1) at++
    for (let index = at; index < pieces.length; index++) {
      const piece = pieces[index]
      if (piece === undefined || piece.from >= to) break
      const key = `${piece.kind} ${piece.serviceIndex}`
      const share = Math.min(piece.to, to) - Math.max(piece.from, from)
      shares.set(key, { piece, share: (shares.get(key)?.share ?? 0) + share })
    }
    const [most] = [...shares.values()].sort((a, b) => b.share - a.share)
    if (most !== undefined) join(result, { ...most.piece, from, to })
  }
  return result
}
