const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `200ms`, `1.5s`, `2m`, `1h`. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/

/** `200ms..30s`. */
export const DURATION_RANGE = /^(\d+(?:\.\d+)?(?:ms|s|m|h))\s*\.\.\s*(\d+(?:\.\d+)?(?:ms|s|m|h))$/

/** Milliseconds of a text that DURATION matches; NaN for any other. */
export function durationMs(text: string): number {
  const [, amount, unit = ''] = DURATION.exec(text) ?? []
  return Math.round(Number(amount) * (UNITS[unit] ?? Number.NaN))
}

/** Least and most of a text that DURATION_RANGE matches, in milliseconds; NaN for any other. */
export function durationRangeMs(text: string): { readonly minMs: number; readonly maxMs: number } {
  const [, min = '', max = ''] = DURATION_RANGE.exec(text) ?? []
  return { minMs: durationMs(min), maxMs: durationMs(max) }
}
