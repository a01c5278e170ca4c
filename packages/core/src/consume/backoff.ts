/** How long to wait between attempts: doubling from `minMs` to `maxMs`. */
export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
}

/** Wait before the next try after `failures` (1 for the first), in milliseconds: half fixed, half random, so that many do not return at once. */
export function backoffMs(
  failures: number,
  { minMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(full / 2 + (full / 2) * random())
}
