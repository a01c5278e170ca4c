import type { Assignment } from './assignment.ts'

export interface CommitterOptions {
  readonly intervalMs: number
  readonly assignments: () => readonly Assignment[]
  /** Commits the committable offset of each and remembers it there. */
  readonly commit: (assignments: readonly Assignment[]) => Promise<void>
}

/** Commits what is settled, in one request at a time, at most `intervalMs` after it was settled. */
export interface Committer {
  /** Something may have to be committed. */
  request(): void
  /** Commits now, after what is under way. Never rejects: what could not be committed is delivered again. */
  flush(): Promise<void>
  /** Commits nothing more. */
  close(): void
}

export function createCommitter({ intervalMs, assignments, commit }: CommitterOptions): Committer {
  let timer: NodeJS.Timeout | null = null
  let committing: Promise<void> | null = null
  let closed = false

  function request(): void {
    if (closed || timer !== null || committing !== null) return
    timer = setTimeout(() => {
      timer = null
      void commitNow()
    }, intervalMs)
  }

  function commitNow(): Promise<void> {
    committing ??= run().finally(() => {
      committing = null
      // Settled meanwhile, or refused because the group is rebalancing: the next interval takes it.
      if (behind().length > 0) request()
    })
    return committing
  }

  async function run(): Promise<void> {
    const due = behind()
    if (due.length === 0) return
    try {
      await commit(due)
    } catch {
      // Heartbeats and fetches find out whether the connection is lost.
    }
  }

  function behind(): readonly Assignment[] {
    return assignments().filter(({ offsets, committed }) => offsets.committable() !== committed)
  }

  async function flush(): Promise<void> {
    if (committing !== null) await committing
    await commitNow()
  }

  return {
    request,
    flush,
    close() {
      closed = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
