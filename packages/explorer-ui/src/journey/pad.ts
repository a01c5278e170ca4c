import { buildCapsules } from './capsules.ts'
import { chainBreak, type JourneyModel } from './model.ts'

const PLAIN_PX = 14
/** Room for a broken-chain mark, and for a stub with one, at the very beginning of the drawing. */
const MARK_ROOM_PX = 38
const STUB_ROOM_PX = 82

/** How far from its left edge a drawing begins: marks of what is missing at the beginning need room there. */
export function leftPad(model: JourneyModel): number {
  const soonMs = model.startMs + (model.endMs - model.startMs) * 0.08
  let pad = PLAIN_PX
  for (const capsule of buildCapsules(model)) {
    const atMs = capsule.startMs ?? capsule.endMs ?? 0
    if (!capsule.brokenStart || atMs > soonMs) continue
    pad = Math.max(pad, capsule.startMs === null ? STUB_ROOM_PX : MARK_ROOM_PX)
  }
  for (const finding of model.journey.findings) {
    const span =
      finding.span === null ? undefined : model.spans.get(`${finding.span.traceId}/${finding.span.spanId}`)
    if (span !== undefined && chainBreak(finding) && span.startMs <= soonMs) pad = Math.max(pad, MARK_ROOM_PX)
  }
  return pad
}
