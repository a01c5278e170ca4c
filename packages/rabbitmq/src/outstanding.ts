/** What a channel has delivered and is not settled yet. */
export interface Outstanding {
  /** `offset`: of a stream. */
  add(tag: number, offset: bigint | undefined): void
  /** Takes out those that are there: settling twice does nothing. */
  take(tags: readonly number[]): readonly number[]
  /** Whether nothing with this or a lower number is left: one acknowledgement then settles them all. */
  isClearUpTo(tag: number): boolean
  /** Where a stream is to be read on: behind all that was settled without a gap. Undefined when none came from one. */
  readonly resumeAt: bigint | undefined
}

export function createOutstanding(): Outstanding {
  // Numbers rise: the first entry is the oldest.
  const offsets = new Map<number, bigint | undefined>()
  let next: bigint | undefined

  function first(): readonly [number, bigint | undefined] | undefined {
    for (const entry of offsets) return entry
    return undefined
  }

  return {
    add(tag, offset) {
      offsets.set(tag, offset)
      if (offset !== undefined) next = offset + 1n
    },
    take: (tags) => tags.filter((tag) => offsets.delete(tag)),
    isClearUpTo(tag) {
      const oldest = first()
      return oldest === undefined || oldest[0] > tag
    },
    get resumeAt() {
      return first()?.[1] ?? next
    },
  }
}
