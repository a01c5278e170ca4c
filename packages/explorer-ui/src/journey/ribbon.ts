import type { JourneyModel } from './model.ts'
import { marksOf, workers } from './work.ts'

/** A piece of the ribbon: at work (in a service's colour), in a queue, or neither. Shares of the whole, 0 to 1. */
export interface RibbonPiece {
  readonly kind: 'work' | 'queue' | 'wait'
  readonly serviceIndex: number
  readonly from: number
  readonly to: number
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
