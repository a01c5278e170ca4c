/** Times of one journey: milliseconds with a fraction, from its start. */
export interface Clock {
  readonly startUnixNanos: bigint
  readonly ms: (unixNanos: bigint) => number
}

export function clockFrom(startUnixNanos: bigint): Clock {
  return { startUnixNanos, ms: (unixNanos) => Number(unixNanos - startUnixNanos) / 1e6 }
}
