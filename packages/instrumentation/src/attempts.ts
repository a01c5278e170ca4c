import type { Span } from '@opentelemetry/api'

/** An attempt that failed in this process. */
export interface Failed {
  readonly span: Span
  /** From 1. */
  readonly attempt: number
}

/** Remembers what failed last at each place, for a client that hands the same message over again. */
export interface Attempts {
  /** The attempt before, where this very message failed last at its place; else undefined. */
  before(place: string, message: string): Failed | undefined
  /** What became of the message: the span of its attempt where that failed, undefined where it is done. */
  note(place: string, message: string, failed: Span | undefined): void
}

/** `place`: what hands its messages over in order, a partition. `message`: which one of it, its offset. */
export function createAttempts(): Attempts {
  const last = new Map<string, Failed & { readonly message: string }>()

  function before(place: string, message: string): Failed | undefined {
    const found = last.get(place)
    return found?.message === message ? found : undefined
  }

  return {
    before,
    note(place, message, failed) {
      if (failed === undefined) last.delete(place)
      else last.set(place, { message, span: failed, attempt: (before(place, message)?.attempt ?? 0) + 1 })
    },
  }
}
