import { formatDuration } from '../format.ts'
import type { Stretch } from './timeline.ts'

export const FOLD_WIDTH = 64

/** A stretch with its place on the page. */
export interface PlacedStretch extends Stretch {
  readonly left: number
  readonly right: number
}

/** From time to page and back. Pixels count from the left edge of the drawing at the present zoom. */
export interface Scale {
  readonly stretches: readonly PlacedStretch[]
  readonly width: number
  x(ms: number): number
  ms(x: number): number
}

export interface ScaleOptions {
  readonly stretches: readonly Stretch[]
  /** Width of the visible drawing. */
  readonly width: number
  /** 1 shows the whole journey. */
  readonly zoom: number
  readonly padLeft: number
  readonly padRight: number
}

/** Lays the stretches side by side: folded ones at a fixed width, the others to one common scale. */
export function createScale({ stretches, width, zoom, padLeft, padRight }: ScaleOptions): Scale {
  const folds = stretches.filter((stretch) => stretch.fold !== null).length
  const foldWidth = Math.min(FOLD_WIDTH, (width * 0.5) / Math.max(1, folds))
  const shownMs = stretches.reduce((sum, s) => (s.fold === null ? sum + s.endMs - s.startMs : sum), 0)
  const room = Math.max(40, width - padLeft - padRight - folds * foldWidth) * zoom
  const pxPerMs = shownMs > 0 ? room / shownMs : 0
  const placed: PlacedStretch[] = []
  let left = padLeft
  for (const stretch of stretches) {
    const right = left + (stretch.fold === null ? (stretch.endMs - stretch.startMs) * pxPerMs : foldWidth)
    placed.push({ ...stretch, left, right })
    left = right
  }
  return {
    stretches: placed,
    width: left + padRight,
    x: (ms) => {
      const at = find(placed, (stretch) => stretch.endMs >= ms)
      return at === null ? padLeft : interpolate(ms, at.startMs, at.endMs, at.left, at.right)
    },
    ms: (x) => {
      const at = find(placed, (stretch) => stretch.right >= x)
      return at === null ? 0 : interpolate(x, at.left, at.right, at.startMs, at.endMs)
    },
  }
}

/** The first stretch that matches, else the last; the list is ordered and short of matches on its left. */
function find(
  placed: readonly PlacedStretch[],
  matches: (s: PlacedStretch) => boolean,
): PlacedStretch | null {
  let low = 0
  let high = placed.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const stretch = placed[middle]
    if (stretch !== undefined && matches(stretch)) high = middle
    else low = middle + 1
  }
  return placed[low] ?? null
}

function interpolate(value: number, from: number, to: number, low: number, high: number): number {
  return to === from ? low : low + ((value - from) / (to - from)) * (high - low)
}

export interface Tick {
  readonly x: number
  readonly label: string
}

const MIN_TICK_PX = 92

/** Ticks of the visible part (`from` to `to`, pixels) at round times, none nearer to the next than a label needs. */
export function ticks(scale: Scale, from: number, to: number): readonly Tick[] {
  const result: Tick[] = []
  for (const [index, stretch] of scale.stretches.entries()) {
    if (stretch.fold !== null || stretch.right < from || stretch.left > to) continue
    const lengthMs = stretch.endMs - stretch.startMs
    const stepMs = niceStep((MIN_TICK_PX / Math.max(1, stretch.right - stretch.left)) * lengthMs)
    const pxPerStep = ((stretch.right - stretch.left) / lengthMs) * stepMs
    const first = Math.max(0, Math.ceil((from - stretch.left) / pxPerStep))
    const last = Math.min(Math.floor(lengthMs / stepMs + 1e-9), Math.floor((to - stretch.left) / pxPerStep))
    for (let n = first; n <= last; n++) {
      // After a fold, times count from where the axis goes on: "+20 ms" says more than "4 m 11.92 s".
      const sinceFold = index > 0 && n > 0
      const label =
        index === 0 ? tickLabel(n * stepMs, stepMs) : sinceFold ? `+${tickLabel(n * stepMs, stepMs)}` : ''
      result.push({
        x: stretch.left + n * pxPerStep,
        label: label === '' ? formatDuration(stretch.startMs - (scale.stretches[0]?.startMs ?? 0)) : label,
      })
    }
  }
  return result
}

const STEPS_MS: readonly number[] = [
  ...[1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100].flatMap((power) => [power, 2 * power, 5 * power]),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800].map((seconds) => seconds * 1000),
  ...[1, 2, 3, 6, 12, 24, 48, 168].map((hours) => hours * 3_600_000),
]

function niceStep(atLeastMs: number): number {
  return STEPS_MS.find((step) => step >= atLeastMs) ?? Math.ceil(atLeastMs / 604_800_000) * 604_800_000
}

/** A tick's time with just the digits its step needs: `0 ms`, `2.5 ms`, `1.25 s`. */
export function tickLabel(ms: number, stepMs: number): string {
  if (ms === 0) return stepMs < 0.5 ? '0 µs' : stepMs >= 1000 ? '0 s' : '0 ms'
  if (ms >= 60_000) return formatDuration(ms)
  const [unit, name] = ms >= 1000 ? [1000, 's'] : stepMs < 0.5 && ms < 1 ? [0.001, 'µs'] : [1, 'ms']
  const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(stepMs / unit) - 1e-9)))
  return `${Number((ms / unit).toFixed(decimals))} ${name}`
}
