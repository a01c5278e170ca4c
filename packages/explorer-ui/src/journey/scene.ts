import type { JourneySpan } from '@throughline/explorer/api'
import { formatDuration } from '../format.ts'
import {
  barWordings,
  besideWordings,
  capsuleWordings,
  errorWordings,
  type Font,
  type Measure,
  type Wordings,
} from './labels.ts'
import { type Bar, capsuleExtent, type Layout, MARK_PX, type PlacedCapsule } from './layout.ts'
import { chainBreak, type JourneyModel } from './model.ts'
import type { Scale } from './scale.ts'
import { type Extent, thinOut, visibleBars } from './specks.ts'

/** A text beside its bar or capsule. `start`: it begins at x; `end`: it ends there. */
export interface SideLabel {
  readonly text: string
  readonly x: number
  readonly anchor: 'start' | 'end'
}

export interface BarShape {
  readonly bar: Bar
  readonly left: number
  readonly right: number
  readonly inside: { readonly text: string; readonly x: number } | null
  readonly beside: SideLabel | null
  /** Where the broken-chain mark stands; null: the chain is whole. */
  readonly markX: number | null
}

export interface CapsuleShape {
  readonly placed: PlacedCapsule
  readonly left: number
  readonly right: number
  readonly beside: SideLabel | null
  /** A label laid over the hatching, where there is room nowhere else. */
  readonly inside: { readonly text: string; readonly x: number; readonly width: number } | null
  readonly startMarkX: number | null
  readonly endMarkX: number | null
}

/** Everything to be drawn of what is in view, in pixels of the visible part. */
export interface Scene {
  readonly bars: readonly BarShape[]
  readonly capsules: readonly CapsuleShape[]
  /** Spans too narrow or too many to be elements of their own: one path a colour. */
  readonly specks: ReadonlyMap<string, string>
  /** Whether spans were thinned out: bars are then drawn square, as the specks between them are. */
  readonly dense: boolean
}

export interface Frame {
  readonly scale: Scale
  readonly panPx: number
  readonly width: number
  readonly top: number
  readonly bottom: number
  readonly measure: Measure
  /** The key of the selected span: always an element of its own. */
  readonly selected: string | null
}

const INSIDE_PAD = 6
const BESIDE_GAP = 6
const MIN_TRUNCATED_PX = 34

interface Occupant {
  /** With the marks that stand before and behind it. */
  readonly from: number
  readonly to: number
  place(freeFrom: number, freeTo: number): number
}

/** Culls to the frame, thins out what is too small to see, and finds a place for each label. */
export function buildScene(model: JourneyModel, layout: Layout, frame: Frame): Scene {
  const rows = new Map<number, Occupant[]>()
  const occupy = (y: number, occupant: Occupant): void => {
    const row = rows.get(y)
    if (row === undefined) rows.set(y, [occupant])
    else row.push(occupant)
  }
  const bars: BarShape[] = []
  const capsules: CapsuleShape[] = []
  const visible = visibleBars(layout, frame)
  const { elements, specks, speckRows } = thinOut(visible, frame)
  for (const shape of elements) {
    occupy(shape.bar.y, barOccupant(model, layout, shape, frame, !speckRows.has(shape.bar.y), bars))
  }
  for (const placed of layout.capsules) {
    if (placed.y > frame.bottom || placed.y + placed.height < frame.top) continue
    const extent = capsuleExtent(placed.capsule, frame.scale)
    const [left, right] = [extent.left - frame.panPx, extent.right - frame.panPx]
    if (right < -MARK_PX || left > frame.width + MARK_PX) continue
    occupy(placed.y, capsuleOccupant(placed, left, right, frame, capsules))
  }
  for (const row of rows.values()) {
    row.sort((a, b) => a.from - b.from)
    let freeFrom = 0
    for (const [index, occupant] of row.entries()) {
      const freeTo = Math.min(frame.width, row[index + 1]?.from ?? frame.width)
      freeFrom = Math.max(freeFrom, occupant.place(freeFrom, freeTo))
    }
  }
  return { bars, capsules, specks, dense: specks.size > 0 }
}

function barOccupant(
  model: JourneyModel,
  layout: Layout,
  extent: Extent,
  frame: Frame,
  /** Among specks, what stands beside a bar would cover others. */
  mayStandBeside: boolean,
  out: BarShape[],
): Occupant {
  const { bar, left, right } = extent
  const broken = breaksBefore(model, layout, bar)
  // Before the bar, where its cause should be; behind it, where there is no room.
  const markBefore = broken && left - MARK_PX >= 0
  const from = markBefore ? left - MARK_PX : left
  const markBehind = broken && !markBefore
  const to = markBehind ? right + MARK_PX : right
  return {
    from,
    to,
    place(freeFrom, freeTo) {
      const markX = markBefore ? left - MARK_PX + 3 : markBehind ? right + 4 : null
      if (!bar.labelled) {
        out.push({ bar, left, right, inside: null, beside: null, markX })
        return to
      }
      const isError = bar.span.status === 'ERROR'
      const seenLeft = Math.max(left, 0)
      const seenRight = Math.min(right, frame.width)
      const room = seenRight - seenLeft - 2 * INSIDE_PAD - (isError ? 4 : 0)
      const text = firstFitting(barWordings(bar.span), room, frame, 'inside')
      const insideX = seenLeft + INSIDE_PAD + (isError ? 4 : 0)
      const wordings = mayStandBeside ? besideOf(bar.span, text) : []
      const beside = placeBeside(wordings, { from, to }, freeFrom, freeTo, frame, 'label')
      const cut =
        text === null && beside === null && room > MIN_TRUNCATED_PX ? truncate(bar, room, frame) : null
      const inside = text ?? cut
      out.push({
        bar,
        left,
        right,
        inside: inside === null ? null : { text: inside, x: insideX },
        beside,
        markX,
      })
      return endOf(beside, to, frame, 'label')
    },
  }
}

/** The chain breaks before a span whose cause is missing, unless the message it received already shows that. */
function breaksBefore(model: JourneyModel, layout: Layout, bar: Bar): boolean {
  const findings = model.findingsOfSpan.get(bar.key)
  if (findings === undefined || !findings.some(chainBreak)) return false
  const hops = model.hopsOfSpan.get(bar.key) ?? []
  return !hops.some((hop) => {
    const isReceiver = hop.process !== null && hop.process.spanId === bar.span.spanId
    return isReceiver && layout.capsuleOf.get(hop.index)?.capsule.brokenStart === true
  })
}

/** What stands beside a bar: all of it, or what the text inside does not say. */
function besideOf(span: JourneySpan, inside: string | null): Wordings {
  if (inside === null) return besideWordings(span)
  const duration = formatDuration(span.durationMs)
  const rest = inside.endsWith(duration) ? [] : [duration]
  return span.status === 'ERROR' ? errorWordings(span, rest[0] ?? null) : rest
}

function truncate(bar: Bar, room: number, frame: Frame): string | null {
  const text = barWordings(bar.span).at(-1) ?? ''
  const perChar = frame.measure(text, 'inside') / Math.max(1, text.length)
  const length = Math.floor(room / perChar) - 1
  return length < 3 ? null : `${text.slice(0, length)}…`
}

function capsuleOccupant(
  placed: PlacedCapsule,
  left: number,
  right: number,
  frame: Frame,
  out: CapsuleShape[],
): Occupant {
  const { capsule } = placed
  const from = capsule.brokenStart ? left - MARK_PX : left
  const to = capsule.brokenEnd ? right + MARK_PX : right
  const marks = {
    startMarkX: capsule.brokenStart ? left - MARK_PX + 3 : null,
    endMarkX: capsule.brokenEnd ? right + 4 : null,
  }
  return {
    from,
    to,
    place(freeFrom, freeTo) {
      if (!placed.labelled) {
        out.push({ placed, left, right, beside: null, inside: null, ...marks })
        return to
      }
      const wordings = capsuleWordings(capsule)
      const item = { from, to }
      const full = placeBeside(wordings.slice(0, 2), item, freeFrom, freeTo, frame, 'mono')
      const seenLeft = Math.max(left, 0) + 14
      const room = Math.min(right, frame.width) - seenLeft - 14
      const text = full === null ? firstFitting(wordings, room, frame, 'mono') : null
      const short = full === null && text === null
      const beside = short ? placeBeside(wordings.slice(2), item, freeFrom, freeTo, frame, 'mono') : full
      const inside = text === null ? null : { text, x: seenLeft, width: frame.measure(text, 'mono') }
      out.push({ placed, left, right, beside, inside, ...marks })
      return endOf(beside, to, frame, 'mono')
    },
  }
}

function firstFitting(wordings: Wordings, room: number, frame: Frame, font: Font): string | null {
  return wordings.find((text) => frame.measure(text, font) <= room) ?? null
}

/** Behind the item, else before it: the fullest wording that disturbs no neighbour. */
function placeBeside(
  wordings: Wordings,
  item: { readonly from: number; readonly to: number },
  freeFrom: number,
  freeTo: number,
  frame: Frame,
  font: Font,
): SideLabel | null {
  const start = Math.max(item.to + BESIDE_GAP, 4)
  for (const text of wordings) {
    const width = frame.measure(text, font)
    if (start + width <= freeTo - 2) return { text, x: start, anchor: 'start' }
    const end = Math.min(item.from - BESIDE_GAP, frame.width - 4)
    if (end - width >= freeFrom + 2) return { text, x: end, anchor: 'end' }
  }
  return null
}

function endOf(beside: SideLabel | null, to: number, frame: Frame, font: Font): number {
  return beside?.anchor === 'start' ? beside.x + frame.measure(beside.text, font) + BESIDE_GAP : to
}
