let offsetMs = performance.timeOrigin

/**
 * Unix time in milliseconds with a fraction. The SDK starts spans at whole milliseconds of the wall clock, which would
 * make most queue times zero; the monotonic clock alone drifts from the wall clock, and is wrong for good once that was
 * corrected. So the fraction is the monotonic clock's, and the whole is kept within the wall clock's own millisecond.
 */
export function unixMs(): number {
  const elapsedMs = performance.now()
  const wallMs = Date.now()
  const aheadMs = offsetMs + elapsedMs - wallMs
  if (aheadMs < 0) offsetMs -= aheadMs
  else if (aheadMs > 1) offsetMs -= aheadMs - 1
  return offsetMs + elapsedMs
}
