import type { JourneyModel } from './model.ts'

/** A piece of the time axis. Folded ones take a fixed width whatever their length. */
export interface Stretch {
  readonly startMs: number
  readonly endMs: number
  /** `idle`: no span was running. `long`: something ran, but nothing began or ended for very long. */
  readonly fold: 'idle' | 'long' | null
}

/** An idle stretch is folded when it is longer than this many times all that is shown. */
const IDLE_RATIO = 5
/** A busy one is folded only when it would squeeze everything else to nothing, and there is much to squeeze. */
const LONG_RATIO = 40
const LONG_MIN_PIECES = 8

interface Piece {
  readonly startMs: number
  readonly endMs: number
  readonly idle: boolean
}

/**
 * The time axis of a journey, first to last moment, as stretches that touch each other.
 *
 * @param folding false: one stretch, to scale
 */
export function buildTimeline(model: JourneyModel, folding: boolean): readonly Stretch[] {
  // A journey of one moment still needs an axis to divide by.
  const whole: Stretch = {
    startMs: model.startMs,
    endMs: Math.max(model.endMs, model.startMs + 0.001),
    fold: null,
  }
  if (!folding) return [whole]
  const folds = chooseFolds(pieces(model))
  if (folds.length === 0) return [whole]
  const stretches: Stretch[] = []
  let atMs = whole.startMs
  for (const piece of folds) {
    if (piece.startMs > atMs) stretches.push({ startMs: atMs, endMs: piece.startMs, fold: null })
    stretches.push({ startMs: piece.startMs, endMs: piece.endMs, fold: piece.idle ? 'idle' : 'long' })
    atMs = piece.endMs
  }
  if (atMs < whole.endMs) stretches.push({ startMs: atMs, endMs: whole.endMs, fold: null })
  return stretches
}

/** Cuts the journey wherever a span begins or ends or a message is sent or received. */
function pieces(model: JourneyModel): readonly Piece[] {
  const marks: { ms: number; running: -1 | 0 | 1 }[] = []
  for (const span of model.journey.spans) {
    marks.push({ ms: span.startMs, running: 1 }, { ms: span.startMs + span.durationMs, running: -1 })
  }
  for (const hop of model.journey.hops) {
    if (hop.sentMs !== null) marks.push({ ms: hop.sentMs, running: 0 })
    if (hop.processedMs !== null) marks.push({ ms: hop.processedMs, running: 0 })
  }
  marks.sort((a, b) => a.ms - b.ms)
  const result: Piece[] = []
  let running = 0
  for (const [index, mark] of marks.entries()) {
    running += mark.running
    const next = marks[index + 1]
    if (next !== undefined && next.ms > mark.ms) {
      result.push({ startMs: mark.ms, endMs: next.ms, idle: running === 0 })
    }
  }
  return result
}

function chooseFolds(all: readonly Piece[]): readonly Piece[] {
  const length = (piece: Piece): number => piece.endMs - piece.startMs
  const folds: Piece[] = []
  let shownMs = all.reduce((sum, piece) => (piece.idle ? sum : sum + length(piece)), 0)
  const busy = all.filter((piece) => !piece.idle).sort((a, b) => length(b) - length(a))
  for (const piece of busy) {
    if (length(piece) < LONG_RATIO * (shownMs - length(piece)) || busy.length < LONG_MIN_PIECES) break
    folds.push(piece)
    shownMs -= length(piece)
  }
  const idle = all.filter((piece) => piece.idle).sort((a, b) => length(a) - length(b))
  for (const piece of idle) {
    if (shownMs > 0 && length(piece) > IDLE_RATIO * shownMs) folds.push(piece)
    else shownMs += length(piece)
  }
  return folds.sort((a, b) => a.startMs - b.startMs)
}
