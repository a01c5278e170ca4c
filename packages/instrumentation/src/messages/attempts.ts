import type { Span } from '@opentelemetry/api'

/** An attempt that failed in this process. */
export interface Failed {
  readonly span: Span
  /** From 1. */
  readonly attempt: number
}

/** Messages of one place that are handled together, by the first and the last of them: offsets, or a message's number twice. */
export interface Range {
  readonly first: bigint
  readonly last: bigint
}

/** Remembers what failed last at each place, for a client that hands the same messages over again. */
export interface Attempts {
  /** The attempt before, where it had the first of these messages and was the last one at this place; else undefined. */
  before(place: string, messages: Range): Failed | undefined
  /** What became of them: the span of their attempt where that failed, undefined where they are done. */
  note(place: string, messages: Range, failed: Span | undefined): void
  /** All places have other messages now. */
  forget(): void
}

/** `place`: what hands its messages over in order, a partition. */
export function createAttempts(): Attempts {
  const last = new Map<string, Failed & { readonly messages: Range }>()

  function before(place: string, { first }: Range): Failed | undefined {
    if (last.size === 0) return undefined
    // Of a batch a part may have been settled: what comes again then begins in its midst.
    const found = last.get(place)
    return found !== undefined && found.messages.first <= first && first <= found.messages.last
      ? found
      : undefined
  }

  return {
    before,
    note(place, messages, failed) {
      if (failed !== undefined) {
        last.set(place, { messages, span: failed, attempt: (before(place, messages)?.attempt ?? 0) + 1 })
      } else if (last.size > 0) last.delete(place)
    },
    forget: () => last.clear(),
  }
}
