import type { JourneySpan } from '@throughline/explorer/api'
import type { CriticalStep } from './critical.ts'
import { type JourneyModel, refKey } from './model.ts'

export type Selection =
  | { readonly kind: 'span'; readonly key: string; readonly span: JourneySpan }
  | { readonly kind: 'hop'; readonly index: number }
  | null

/** What a journey page shows of its journey; all of it stands in the address. */
export interface ViewState {
  readonly view: 'lanes' | 'waterfall'
  readonly fold: boolean
  readonly span: string | null
  readonly hop: number | null
  /** The part of time that is seen; null: all of it. */
  readonly window: { readonly fromMs: number; readonly toMs: number } | null
}

/** Reads the state from an address's query; what cannot be read has its default. */
export function parseState(search: string): ViewState {
  const query = new URLSearchParams(search)
  const hop = query.get('hop')
  const window = /^(-?[\d.]+)~(-?[\d.]+)$/.exec(query.get('t') ?? '')
  const [fromMs, toMs] = [Number(window?.[1]), Number(window?.[2])]
  return {
    view: query.get('view') === 'waterfall' ? 'waterfall' : 'lanes',
    fold: query.get('fold') !== 'off',
    span: query.get('span'),
    hop: hop !== null && /^\d{1,9}$/.test(hop) ? Number(hop) : null,
    window: Number.isFinite(fromMs) && Number.isFinite(toMs) && toMs > fromMs ? { fromMs, toMs } : null,
  }
}

/** The query of an address, without what is at its default; empty when all is. */
export function formatState(state: ViewState): string {
  const query = new URLSearchParams()
  if (state.view !== 'lanes') query.set('view', state.view)
  if (!state.fold) query.set('fold', 'off')
  if (state.span !== null) query.set('span', state.span)
  if (state.hop !== null) query.set('hop', String(state.hop))
  if (state.window !== null) query.set('t', `${digits(state.window.fromMs)}~${digits(state.window.toMs)}`)
  const text = query.toString().replaceAll('%7E', '~').replaceAll('%2F', '/')
  return text === '' ? '' : `?${text}`
}

function digits(ms: number): string {
  return String(Number(ms.toFixed(6)))
}

/** What the state selects, where the journey has it. */
export function selectionOf(model: JourneyModel, state: ViewState): Selection {
  if (state.hop !== null && model.journey.hops.some((hop) => hop.index === state.hop)) {
    return { kind: 'hop', index: state.hop }
  }
  if (state.span === null) return null
  const exact = model.spans.get(state.span)
  const span = exact ?? model.journey.spans.find((candidate) => candidate.spanId === state.span)
  return span === undefined ? null : { kind: 'span', key: refKey(span), span }
}

/** How a span is named in the address: by its id alone where that is enough. */
export function spanParam(model: JourneyModel, key: string): string {
  const spanId = key.slice(key.indexOf('/') + 1)
  const first = model.journey.spans.find((span) => span.spanId === spanId)
  return first !== undefined && refKey(first) === key ? spanId : key
}

/** The hop before or after the selected one; the first or last when none is selected. */
export function nextHop(model: JourneyModel, selection: Selection, step: 1 | -1): number | null {
  const { hops } = model.journey
  if (hops.length === 0) return null
  let at = selection?.kind === 'hop' ? hops.findIndex((hop) => hop.index === selection.index) : -1
  if (selection?.kind === 'span') {
    const ofSpan = model.hopsOfSpan.get(selection.key)?.[0]
    at = ofSpan === undefined ? -1 : hops.indexOf(ofSpan) - (step > 0 ? 1 : 0)
  }
  const next = at < 0 ? (step > 0 ? 0 : hops.length - 1) : Math.min(hops.length - 1, Math.max(0, at + step))
  return hops[next]?.index ?? null
}

/** The selection before or after the present one on the critical path, each span and message once. */
export function nextCritical(model: JourneyModel, selection: Selection, step: 1 | -1): Selection {
  const path = new Map<string, Exclude<Selection, null>>()
  for (const part of model.critical) {
    const stop = stopOf(part)
    if (!path.has(nameOf(stop))) path.set(nameOf(stop), stop)
  }
  const stops = [...path.values()]
  const at = selection === null ? -1 : [...path.keys()].indexOf(nameOf(selection))
  const index = at < 0 ? (step > 0 ? 0 : stops.length - 1) : at + step
  return stops[Math.min(stops.length - 1, Math.max(0, index))] ?? selection
}

function stopOf(part: CriticalStep): Exclude<Selection, null> {
  return part.kind === 'hop'
    ? { kind: 'hop', index: part.hop.index }
    : { kind: 'span', key: refKey(part.span), span: part.span }
}

function nameOf(selection: Exclude<Selection, null>): string {
  return selection.kind === 'hop' ? `hop ${selection.index}` : selection.key
}
