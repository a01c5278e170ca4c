/** One try at a task. Resolves with the milliseconds after which it is to be tried again, or null when it is done. Must not reject. */
export type Step = () => Promise<number | null>

export interface Lanes {
  /** Queues a task. Tasks of one key run one after the other; tasks without a key run as soon as there is room. */
  add(key: string | undefined, step: Step, onAbandoned: () => void): void
  /** Gives up all tasks that are not running, the waiting ones too: `onAbandoned` is called for each. */
  abandon(): void
  /** The same, and from now on: what would be queued or tried again is abandoned at once. */
  close(): void
  /** Resolves when no task is running, queued or waiting. */
  idle(): Promise<void>
}

interface Task {
  readonly key: string | undefined
  readonly step: Step
  readonly onAbandoned: () => void
}

/**
 * Runs tasks side by side, at most `concurrency` at one time, those of one key in order. A task that waits to be tried
 * again blocks its own key and nobody else: its place among the running is free meanwhile. This is why a failed
 * delivery is kept here and not offered again by the subscriber: what had already been read of its key would overtake it.
 */
export function createLanes(concurrency: number): Lanes {
  const ready: Task[] = []
  const behind = new Map<string, Task[]>()
  const waiting = new Map<Task, NodeJS.Timeout>()
  const idleWaiters: (() => void)[] = []
  let running = 0
  let closed = false

  function add(key: string | undefined, step: Step, onAbandoned: () => void): void {
    if (closed) {
      onAbandoned()
      return
    }
    const task: Task = { key, step, onAbandoned }
    if (key !== undefined) {
      const queue = behind.get(key)
      if (queue !== undefined) {
        queue.push(task)
        return
      }
      behind.set(key, [])
    }
    ready.push(task)
    pump()
  }

  function pump(): void {
    while (running < concurrency) {
      const task = ready.shift()
      if (task === undefined) break
      running++
      void task.step().then((delayMs) => {
        running--
        if (closed && delayMs !== null) task.onAbandoned()
        if (closed || delayMs === null) finish(task)
        else waiting.set(task, setTimeout(retry, delayMs, task))
        pump()
      })
    }
    if (running === 0 && ready.length === 0 && waiting.size === 0) {
      for (const resolve of idleWaiters.splice(0)) resolve()
    }
  }

  function retry(task: Task): void {
    waiting.delete(task)
    ready.push(task)
    pump()
  }

  function finish({ key }: Task): void {
    if (key === undefined) return
    const next = behind.get(key)?.shift()
    if (next === undefined) behind.delete(key)
    else ready.push(next)
  }

  function abandon(): void {
    const given = [...waiting.keys(), ...ready.splice(0)]
    for (const timer of waiting.values()) clearTimeout(timer)
    waiting.clear()
    for (const { key } of given.slice()) {
      if (key === undefined) continue
      given.push(...(behind.get(key) ?? []))
      behind.delete(key)
    }
    // What is left stands behind a task that is running: its key stays taken until that one is done.
    for (const queue of behind.values()) given.push(...queue.splice(0))
    for (const task of given) task.onAbandoned()
    pump()
  }

  function close(): void {
    closed = true
    abandon()
  }

  function idle(): Promise<void> {
    return new Promise((resolve) => {
      idleWaiters.push(resolve)
      pump()
    })
  }

  return { add, abandon, close, idle }
}
