/** A repeatable sequence of pseudo-random choices. */
export interface Random {
  /** An integer from 0 up to and without `limit`. */
  below(limit: number): number
  pick<Value>(values: readonly Value[]): Value
}

/** The sequence of a 32-bit seed (mulberry32: short, quick, even enough to choose by). */
export function createRandom(seed: number): Random {
  let state = seed
  function below(limit: number): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return {
    below,
    pick(values) {
      const value = values[below(values.length)]
      if (value === undefined) throw new Error('nothing to pick from')
      return value
    },
  }
}
