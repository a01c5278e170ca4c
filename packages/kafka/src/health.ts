/**
 * Decides when a connection counts as lost: not at the first failure, of which a moving leader has some, but when none
 * of its requests has succeeded for `lostAfterMs`. A request that hung counts from when it was sent.
 */
export interface Health {
  succeeded(): void
  /** @param startedAt when the request was sent, by `performance.now()`. */
  failed(error: unknown, startedAt: number): void
}

export function createHealth(
  lostAfterMs: number,
  onLost: (error: unknown) => void,
  now = () => performance.now(),
): Health {
  let failingSince: number | null = null
  return {
    succeeded() {
      failingSince = null
    },
    failed(error, startedAt) {
      failingSince ??= startedAt
      if (now() - failingSince >= lostAfterMs) onLost(error)
    },
  }
}
