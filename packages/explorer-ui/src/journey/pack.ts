export interface Extent {
  readonly from: number
  readonly to: number
  /** A nested span stands below its parent. */
  readonly minRow: number
}

/**
 * Gives each item the first row in which it overlaps no other. Items come in order of their start, parents before
 * what is nested in them; their extents may reach further left (a label before a bar, a nested span whose clock is
 * coarser), which the end of each row accounts for.
 *
 * @param maxRows items beyond take the row that is free soonest, and overlap there
 * @returns each item's row, from 0
 */
export function pack(
  itemCount: number,
  extentOf: (index: number) => Extent,
  maxRows: number,
  onPlaced: (index: number, row: number) => void = () => {},
): readonly number[] {
  const ends: number[] = []
  const rows: number[] = []
  for (let index = 0; index < itemCount; index++) {
    const { from, to, minRow } = extentOf(index)
    const lowest = Math.min(minRow, maxRows - 1)
    let row = lowest
    while (row < ends.length && (ends[row] ?? 0) > from) row++
    if (row >= maxRows) row = soonest(ends, lowest)
    while (ends.length <= row) ends.push(Number.NEGATIVE_INFINITY)
    ends[row] = Math.max(ends[row] ?? 0, to)
    rows.push(row)
    onPlaced(index, row)
  }
  return rows
}

function soonest(ends: readonly number[], lowest: number): number {
  let best = lowest
  for (let row = lowest; row < ends.length; row++) {
    if ((ends[row] ?? 0) < (ends[best] ?? 0)) best = row
  }
  return best
}
