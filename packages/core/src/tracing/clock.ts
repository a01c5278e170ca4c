/** How far the two clocks may part until the wall clock is taken over anew: it was set, or the machine slept. */
const MAX_DRIFT_MS = 5

let offsetMs = performance.timeOrigin

/**
 * Unix time in milliseconds with a fraction. The SDK starts spans at whole milliseconds of the wall clock, which would
 * make most queue times zero; the monotonic clock alone would be wrong for good after the wall clock was corrected.
 */
export function unixMs(): number {
  const elapsedMs = performance.now()
  if (Math.abs(offsetMs + elapsedMs - Date.now()) > MAX_DRIFT_MS) offsetMs = Date.now() - elapsedMs
  return offsetMs + elapsedMs
}
