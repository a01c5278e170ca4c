// What docs/reference.test.ts reads.
export { codeBlocks } from '../blocks.ts'

/** At most. */
export const LIMIT: number = 10
export const SIDES = ['a', 'b'] as const

/** A shape. */
export interface Shape {
  /** A side's length. */
  side(name: 'a' | 'b'): number
}

/** Counts. */
export class Counter {
  /** How often. */
  readonly count: number
  readonly #start: number
  constructor(start: number) {
    this.count = start
    this.#start = start
  }
  next(by?: number): Counter {
    return new Counter(this.#start + this.since() + (by ?? 1))
  }
  private since(): number {
    return this.count - this.#start
  }
}

/**
 * How large a shape is.
 *
 * @param shape its sides in metres
 * @returns square metres
 * @throws RangeError for one without sides
 */
export async function area(shape: Shape): Promise<number> {
  const [a, b] = SIDES.map(halved)
  return Math.min(shape.side(a ?? 'a') * shape.side(b ?? 'b'), LIMIT)
}

function halved<T>(side: T): T {
  return side
}
