/** When a batch is full, and how long one that is not may wait. */
export interface GatherLimits {
  /** 0: until the turn of the event loop ends. */
  readonly lingerMs: number
  readonly maxBatchBytes: number
  readonly maxBatchMessages: number
}

/** Runs `task` after `delayMs` (0: when this turn of the event loop ends); the result cancels it. */
export type Schedule = (task: () => void, delayMs: number) => () => void

export interface Gather<Item> {
  add(item: Item): void
  /** Sends what is waiting without lingering. */
  flush(): void
  /** Waiting and being sent. */
  readonly pending: number
  /** Resolves when nothing is waiting or being sent. */
  idle(): Promise<void>
}

/**
 * Gathers items into batches, in order, and sends one batch at a time: what comes while one is under way makes the
 * next, so that batches grow with the load by themselves and the order of one partition holds over a retry.
 * Pure: time comes from `schedule`, and `send` must not reject.
 */
export function createGather<Item>(
  { lingerMs, maxBatchBytes, maxBatchMessages }: GatherLimits,
  sizeOf: (item: Item) => number,
  send: (batch: readonly Item[]) => Promise<void>,
  schedule: Schedule = later,
): Gather<Item> {
  let waiting: Item[] = []
  let waitingBytes = 0
  let sending = 0
  let cancel: (() => void) | null = null
  let idleWaiters: (() => void)[] = []

  function add(item: Item): void {
    waiting.push(item)
    waitingBytes += sizeOf(item)
    if (sending > 0) return
    if (waiting.length >= maxBatchMessages || waitingBytes >= maxBatchBytes) sendNext()
    else cancel ??= schedule(sendNext, lingerMs)
  }

  function sendNext(): void {
    cancel?.()
    cancel = null
    if (sending > 0 || waiting.length === 0) return
    const batch = take()
    sending = batch.length
    void send(batch).then(() => {
      sending = 0
      // What waited for this batch has lingered long enough.
      sendNext()
      if (sending === 0) for (const resolve of idleWaiters.splice(0)) resolve()
    })
  }

  /** As much as fits; one item alone may be over the limit: the broker decides. */
  function take(): readonly Item[] {
    let count = 0
    let bytes = 0
    for (const item of waiting) {
      const size = sizeOf(item)
      if (count > 0 && (count >= maxBatchMessages || bytes + size > maxBatchBytes)) break
      count++
      bytes += size
    }
    const batch = waiting.slice(0, count)
    waiting = waiting.slice(count)
    waitingBytes -= bytes
    return batch
  }

  return {
    add,
    flush: sendNext,
    get pending() {
      return waiting.length + sending
    },
    idle() {
      if (waiting.length + sending === 0) return Promise.resolve()
      return new Promise((resolve) => {
        idleWaiters = [...idleWaiters, resolve]
        sendNext()
      })
    },
  }
}

function later(task: () => void, delayMs: number): () => void {
  if (delayMs > 0) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  }
  const immediate = setImmediate(task)
  return () => clearImmediate(immediate)
}
