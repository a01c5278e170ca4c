import type { JourneyModel } from './model.ts'

/** A piece of the ribbon: at work (in a service's colour), in a queue, or neither. Shares of the whole, 0 to 1. */
export interface RibbonPiece {
  readonly kind: 'work' | 'queue' | 'wait'
  readonly serviceIndex: number
  readonly from: number
  readonly to: number
}

type Mark = { readonly ms: number; readonly opens: boolean; readonly service: number | null }

/** What the time of a journey went into, in order. Pieces too thin to be seen join their neighbour. */
export function ribbonPieces(model: JourneyModel): readonly RibbonPiece[] {
  const lengthMs = model.endMs - model.startMs
  if (lengthMs <= 0) return []
  const marks: Mark[] = []
  for (const span of model.journey.spans) {
    const service = model.serviceIndex.get(span.service) ?? 0
    marks.push({ ms: span.startMs, opens: true, service })
    marks.push({ ms: span.startMs + span.durationMs, opens: false, service })
  }
  for (const hop of model.journey.hops) {
    if (hop.kind !== 'message' || hop.sentMs === null || hop.processedMs === null) continue
    if (hop.processedMs <= hop.sentMs) continue
    marks.push(
      { ms: hop.sentMs, opens: true, service: null },
      { ms: hop.processedMs, opens: false, service: null },
    )
  }
  marks.sort((a, b) => a.ms - b.ms)
  const pieces: RibbonPiece[] = []
  const running: number[] = []
  let queued = 0
  for (const [index, mark] of marks.entries()) {
    if (mark.service === null) queued += mark.opens ? 1 : -1
    else if (mark.opens) running.push(mark.service)
    else running.splice(running.lastIndexOf(mark.service), 1)
    const nextMs = marks[index + 1]?.ms ?? mark.ms
    if (nextMs <= mark.ms) continue
    const kind = running.length > 0 ? 'work' : queued > 0 ? 'queue' : 'wait'
    join(pieces, {
      kind,
      serviceIndex: kind === 'work' ? (running.at(-1) ?? 0) : 0,
      from: (mark.ms - model.startMs) / lengthMs,
      to: (nextMs - model.startMs) / lengthMs,
    })
  }
  return pieces
}

const MIN_SHARE = 0.001

function join(pieces: RibbonPiece[], piece: RibbonPiece): void {
  const last = pieces.at(-1)
  const same = last !== undefined && last.kind === piece.kind && last.serviceIndex === piece.serviceIndex
  if (last !== undefined && (same || piece.to - piece.from < MIN_SHARE)) {
    pieces[pieces.length - 1] = { ...last, to: piece.to }
  } else pieces.push(piece)
}
