/** Says at most `lines` things an interval, and how many it kept back when the next interval begins with another. */
export function createBudget(lines: number, intervalMs: number, now: () => number = Date.now) {
  let start = now()
  let said = 0
  let kept = 0
  return function say(write: (keptBack: number) => void): void {
    const time = now()
    if (time - start >= intervalMs) {
      start = time
      said = 0
    }
    if (said >= lines) {
      kept++
      return
    }
    said++
    const before = kept
    kept = 0
    write(before)
  }
}
