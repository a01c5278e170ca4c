import type { JourneySpan, SpanRef } from '@throughline/explorer/api'
import { buildCapsules, type Capsule, firstMoment } from './capsules.ts'
import { barWordings, besideWordings, capsuleWordings, type Measure } from './labels.ts'
import { type JourneyModel, parentOf, refKey } from './model.ts'
import { type Place, placesOf } from './order.ts'
import { pack } from './pack.ts'
import type { Scale } from './scale.ts'

/** A horizontal band: a service with its spans, or a destination with its messages. Pixels from the top. */
export interface Lane {
  readonly key: string
  readonly kind: 'service' | 'destination'
  readonly name: string
  /** Null for services. */
  readonly transport: string | null
  /** Decides the colour of a service. */
  readonly serviceIndex: number
  readonly top: number
  readonly height: number
  readonly itemCount: number
}

interface Placed {
  readonly lane: Lane
  readonly y: number
  readonly height: number
  /** Dense lanes have rows too low for text. */
  readonly labelled: boolean
}

export interface Bar extends Placed {
  readonly key: string
  readonly span: JourneySpan
  readonly serviceIndex: number
}

export interface PlacedCapsule extends Placed {
  readonly capsule: Capsule
}

export interface Layout {
  readonly lanes: readonly Lane[]
  readonly bars: readonly Bar[]
  readonly capsules: readonly PlacedCapsule[]
  readonly barOf: ReadonlyMap<string, Bar>
  readonly capsuleOf: ReadonlyMap<number, PlacedCapsule>
  readonly height: number
}

export interface LayoutOptions {
  /** The scale that shows the whole journey: rows are packed for it and stay when the user magnifies. */
  readonly scale: Scale
  readonly measure: Measure
  /** Height kept at the top of each lane for its name, where names do not stand beside the lanes. */
  readonly headPx: number
}

const ROW_PITCH = 25
const BAR_HEIGHT = 20
const CAPSULE_HEIGHT = 18
const LANE_PAD = 9
/** Rows beyond which a lane becomes dense, and the height it may then have. */
const MAX_LABELLED_ROWS = 16
const DENSE_HEIGHT = 420
const MAX_ROWS = 140
/** Lanes with more items than this are packed by time alone: reserving room for every label would explode them. */
const LABEL_AWARE_ITEMS = 60
export const STUB_PX = 40
export const MARK_PX = 30
export const MIN_BAR_PX = 3
export const MIN_CAPSULE_PX = 16

interface Draft {
  readonly key: string
  readonly kind: Lane['kind']
  readonly name: string
  readonly transport: string | null
  readonly serviceIndex: number
  readonly atMs: number
  /** Among drafts of one moment, how far from the beginning of the journey: causes stand above their effects. */
  readonly step: number
  readonly spans: readonly JourneySpan[]
  readonly capsules: readonly Capsule[]
}

/** Places every span and message of a journey. Lanes stand in the order in which the event reached them. */
export function layoutJourney(model: JourneyModel, options: LayoutOptions): Layout {
  const lanes: Lane[] = []
  const bars: Bar[] = []
  const capsules: PlacedCapsule[] = []
  let top = 0
  for (const draft of draftLanes(model)) {
    const rows =
      draft.kind === 'service'
        ? packSpans(model, draft.spans, options)
        : packCapsules(draft.capsules, options)
    const rowCount = Math.max(
      1,
      rows.reduce((most, row) => Math.max(most, row + 1), 0),
    )
    const labelled = rowCount <= MAX_LABELLED_ROWS
    const pitch = labelled ? ROW_PITCH : Math.max(3, Math.min(12, Math.floor(DENSE_HEIGHT / rowCount)))
    const full = draft.kind === 'service' ? BAR_HEIGHT : CAPSULE_HEIGHT
    const height = labelled ? full : Math.max(2, pitch - 1)
    const laneHeight = 2 * LANE_PAD + options.headPx + (rowCount - 1) * pitch + height
    const lane: Lane = {
      key: draft.key,
      kind: draft.kind,
      name: draft.name,
      transport: draft.transport,
      serviceIndex: draft.serviceIndex,
      top,
      height: laneHeight,
      itemCount: draft.spans.length + draft.capsules.length,
    }
    const y = (index: number): number => top + LANE_PAD + options.headPx + (rows[index] ?? 0) * pitch
    for (const [index, span] of draft.spans.entries()) {
      const place = { lane, y: y(index), height, labelled }
      bars.push({ ...place, key: refKey(span), span, serviceIndex: draft.serviceIndex })
    }
    for (const [index, capsule] of draft.capsules.entries()) {
      capsules.push({ lane, y: y(index), height, labelled, capsule })
    }
    lanes.push(lane)
    top += laneHeight
  }
  return {
    lanes,
    bars,
    capsules,
    barOf: new Map(bars.map((bar) => [bar.key, bar])),
    capsuleOf: new Map(
      capsules.flatMap((placed) => placed.capsule.hops.map((hop) => [hop.index, placed] as const)),
    ),
    height: top,
  }
}

function draftLanes(model: JourneyModel): readonly Draft[] {
  const places = placesOf(model)
  const placeOf = (ref: SpanRef): Place => places.get(refKey(ref)) ?? { beginsMs: 0, depth: 0 }
  const inOrder = (a: JourneySpan, b: JourneySpan): number => {
    const [x, y] = [placeOf(a), placeOf(b)]
    return x.beginsMs - y.beginsMs || x.depth - y.depth || b.durationMs - a.durationMs
  }
  const services = [...Map.groupBy(model.journey.spans, (span) => span.service)].map(
    ([name, spans]): Draft => {
      const ordered = spans.toSorted(inOrder)
      const [first] = ordered
      const { beginsMs, depth } = first === undefined ? { beginsMs: 0, depth: 0 } : placeOf(first)
      return {
        key: `s ${name}`,
        kind: 'service',
        name,
        transport: null,
        serviceIndex: model.serviceIndex.get(name) ?? 0,
        atMs: beginsMs,
        step: depth,
        spans: ordered,
        capsules: [],
      }
    },
  )
  const messages = Map.groupBy(
    buildCapsules(model),
    (capsule) => `${capsule.transport} ${capsule.destination}`,
  )
  const destinations = [...messages.values()].map((capsules): Draft => {
    const [first] = capsules
    const [transport, name] = [first?.transport ?? '', first?.destination ?? '']
    return {
      key: `d ${transport} ${name}`,
      kind: 'destination',
      name,
      transport,
      serviceIndex: 0,
      ...firstStep(first, placeOf),
      spans: [],
      capsules,
    }
  })
  return [...services, ...destinations].sort((a, b) => a.atMs - b.atMs || a.step - b.step)
}

/** At the same moment a message stands below its sender, and one of unknown origin above its receiver. */
function firstStep(
  capsule: Capsule | undefined,
  placeOf: (ref: SpanRef) => Place,
): { readonly atMs: number; readonly step: number } {
  if (capsule === undefined) return { atMs: 0, step: 0 }
  const [hop] = capsule.hops
  if (hop?.send) {
    const { beginsMs, depth } = placeOf(hop.send)
    return { atMs: Math.max(firstMoment(capsule), beginsMs), step: depth + 0.5 }
  }
  const depth = hop?.process ? placeOf(hop.process).depth : 0
  return { atMs: firstMoment(capsule), step: depth - 0.5 }
}

function packSpans(
  model: JourneyModel,
  spans: readonly JourneySpan[],
  options: LayoutOptions,
): readonly number[] {
  const { scale, measure } = options
  const roomy = spans.length <= LABEL_AWARE_ITEMS
  const rowOf = new Map<string, number>()
  return pack(
    spans.length,
    (index) => {
      const span = spans[index]
      if (span === undefined) return { from: 0, to: 0, minRow: 0 }
      const parent = parentOf(model, span)
      const minRow = parent?.service === span.service ? (rowOf.get(refKey(parent)) ?? -1) + 1 : 0
      const from = scale.x(span.startMs)
      const to = Math.max(from + MIN_BAR_PX, scale.x(span.startMs + span.durationMs))
      if (!roomy) return { from, to, minRow }
      const marks = model.findingsOfSpan.has(refKey(span)) ? MARK_PX : 0
      const inside = barWordings(span)[1] ?? barWordings(span)[0] ?? ''
      const fits = measure(inside, 'inside') + 16 <= to - from
      if (fits && span.status !== 'ERROR') return { from, to: to + marks + 4, minRow }
      const beside = measure(besideWordings(span)[0] ?? '', 'label') + 10 + marks
      return { ...withLabel(from, to, beside, scale.width), minRow }
    },
    MAX_ROWS,
    (index, row) => {
      const span = spans[index]
      if (span !== undefined) rowOf.set(refKey(span), row)
    },
  )
}

function packCapsules(capsules: readonly Capsule[], options: LayoutOptions): readonly number[] {
  const { scale, measure } = options
  const roomy = capsules.length <= LABEL_AWARE_ITEMS
  return pack(
    capsules.length,
    (index) => {
      const capsule = capsules[index]
      if (capsule === undefined) return { from: 0, to: 0, minRow: 0 }
      const { left, right } = capsuleExtent(capsule, scale)
      if (!roomy) return { from: left, to: right, minRow: 0 }
      const wordings = capsuleWordings(capsule)
      const label = measure(wordings[0] ?? '', 'mono') + 12
      const short = measure(wordings.at(-1) ?? '', 'mono') + 12
      const room = right + label <= scale.width || left - label >= 0 ? label : short
      const marks = (capsule.brokenStart ? MARK_PX : 0) + (capsule.brokenEnd ? MARK_PX : 0)
      return {
        ...withLabel(left - (capsule.brokenStart ? MARK_PX : 0), right, room + marks, scale.width),
        minRow: 0,
      }
    },
    MAX_ROWS,
  )
}

/** The extent of an item with its label: behind it, or before it where the drawing ends too soon. */
function withLabel(from: number, to: number, label: number, width: number): { from: number; to: number } {
  return to + label <= width || from - label < 0 ? { from, to: to + label } : { from: from - label, to }
}

/** From where to where a capsule is drawn: never so short that it could not be seen, stubs where an end is unknown. */
export function capsuleExtent(
  capsule: Capsule,
  scale: Scale,
): { readonly left: number; readonly right: number } {
  const start = capsule.startMs === null ? null : scale.x(capsule.startMs)
  const end = capsule.endMs === null ? null : scale.x(capsule.endMs)
  if (start !== null && end !== null) return { left: start, right: Math.max(end, start + MIN_CAPSULE_PX) }
  if (start !== null) return { left: start, right: start + STUB_PX }
  if (end !== null) return { left: end - STUB_PX, right: end }
  return { left: 0, right: STUB_PX }
}
