/** The MQTT filter that matches all topics a template can make: an expression may be any level, or several. */
export function filterOf(parts: readonly (string | readonly string[])[]): string {
  const levels = parts
    .map((part) => (typeof part === 'string' ? part : '\0'))
    .join('')
    .split('/')
  return levels.map((level) => (level.includes('\0') ? '+' : level)).join('/')
}

/** Whether some topic matches both filters (MQTT 5 §4.7). */
export function filtersOverlap(a: string, b: string): boolean {
  return overlap(a.split('/'), b.split('/'))
}

function overlap([a, ...restOfA]: readonly string[], [b, ...restOfB]: readonly string[]): boolean {
  if (a === '#' || b === '#') return true
  // `a/#` matches `a` too.
  if (a === undefined) return b === undefined
  if (b === undefined) return false
  if (a !== b && a !== '+' && b !== '+') return false
  if (restOfA.length === 0 && restOfB[0] === '#') return true
  if (restOfB.length === 0 && restOfA[0] === '#') return true
  return overlap(restOfA, restOfB)
}
