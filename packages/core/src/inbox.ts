/** What has arrived and has not been fetched, between one that pushes and one that waits. */
export interface Inbox<Item> {
  /** Adds one item. */
  push(item: Item): void
  /** Nothing comes any more. An error also drops what is there: it belongs to a connection that is gone. */
  end(error?: Error): void
  /** All that has arrived, at least one; null when it has ended or the signal is aborted. Throws the error it ended with. */
  take(signal?: AbortSignal): Promise<readonly Item[] | null>
}

/** An empty one. */
export function createInbox<Item>(): Inbox<Item> {
  let items: Item[] = []
  let ended: { readonly error: Error | undefined } | null = null
  let wake: (() => void) | null = null

  function notify(): void {
    wake?.()
    wake = null
  }

  async function take(signal?: AbortSignal): Promise<readonly Item[] | null> {
    signal?.addEventListener('abort', notify)
    try {
      for (;;) {
        if (ended?.error !== undefined) throw ended.error
        if (ended !== null || signal?.aborted) return null
        if (items.length > 0) break
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      signal?.removeEventListener('abort', notify)
    }
    const taken = items
    items = []
    return taken
  }

  return {
    push(item) {
      items.push(item)
      notify()
    },
    end(error) {
      ended ??= { error }
      if (error !== undefined) items = []
      notify()
    },
    take,
  }
}
