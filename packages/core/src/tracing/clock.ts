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

let second = 0
let secondText = '0'

/**
 * Unix milliseconds as whole microseconds in decimal. Every message has a new number, and the engine takes four times
 * as long to write one of 16 digits as six digits behind a second that is written already.
 */
export function microsText(unixMs: number): string {
  const micros = Math.round(unixMs * 1000)
  const whole = Math.floor(micros / 1e6)
  if (whole !== second) {
    second = whole
    secondText = String(whole)
  }
  return secondText + String(1e6 + micros - whole * 1e6).slice(1)
}
