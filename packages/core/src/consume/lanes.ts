import type { Eventually } from './attempt.ts'

/** What is done with tasks: functions that all share, since a closure a task would be one a message. */
export interface TaskKind<Task> {
  /** Tasks of one key run one after the other; tasks without a key run as soon as there is room. */
  keyOf(task: Task): string | undefined
  /** One try. Gives the milliseconds after which the task is to be tried again, or null when it is done. Must not throw or reject. */
  step(task: Task): Eventually<number | null>
  onAbandoned(task: Task): void
}

export interface Lanes<Task> {
  /** Queues a task. */
  add(task: Task): void
  /** Gives up all tasks that are not running, the waiting ones too: `onAbandoned` is called for each. */
  abandon(): void
  /**
   * From now on takes no task and tries none again: those that wait to be, and what stands behind them, are abandoned.
   * What is queued still runs, so that what was read is finished and not delivered twice.
   */
  close(): void
  /** Resolves when no task is running, queued or waiting. */
  idle(): Promise<void>
}

/**
 * Runs tasks side by side, at most `concurrency` at one time, those of one key in order. A task that waits to be tried
 * again blocks its own key and nobody else: its place among the running is free meanwhile. This is why a failed
 * delivery is kept here and not offered again by the subscriber: what had already been read of its key would overtake it.
 */
export function createLanes<Task>(
  concurrency: number,
  { keyOf, step, onAbandoned }: TaskKind<Task>,
): Lanes<Task> {
  const ready: Task[] = []
  const behind = new Map<string, Task[]>()
  const waiting = new Map<Task, NodeJS.Timeout>()
  const idleWaiters: (() => void)[] = []
  let running = 0
  let closed = false

  function add(task: Task): void {
    if (closed) {
      onAbandoned(task)
      return
    }
    const key = keyOf(task)
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
      const delayMs = step(task)
      if (delayMs instanceof Promise) {
        void delayMs.then((ms) => {
          conclude(task, ms)
          pump()
        })
      } else conclude(task, delayMs)
    }
    if (running === 0 && ready.length === 0 && waiting.size === 0) {
      for (const resolve of idleWaiters.splice(0)) resolve()
    }
  }

  function conclude(task: Task, delayMs: number | null): void {
    running--
    if (delayMs === null) finish(task)
    else if (closed) giveUp(task)
    else waiting.set(task, setTimeout(retry, delayMs, task))
  }

  function retry(task: Task): void {
    waiting.delete(task)
    ready.push(task)
    pump()
  }

  function finish(task: Task): void {
    const key = keyOf(task)
    if (key === undefined) return
    const next = behind.get(key)?.shift()
    if (next === undefined) behind.delete(key)
    else ready.push(next)
  }

  function abandon(): void {
    for (const timer of waiting.values()) clearTimeout(timer)
    for (const task of [...waiting.keys(), ...ready]) giveUp(task)
    waiting.clear()
    ready.length = 0
    // What is left stands behind a task that is running: its key stays taken until that one is done.
    for (const queue of behind.values()) for (const task of queue.splice(0)) onAbandoned(task)
    pump()
  }

  /** Gives up a task and all behind it: they must not overtake it. */
  function giveUp(task: Task): void {
    const key = keyOf(task)
    const followers = key === undefined ? [] : (behind.get(key) ?? [])
    if (key !== undefined) behind.delete(key)
    for (const each of [task, ...followers]) onAbandoned(each)
  }

  function close(): void {
    closed = true
    for (const [task, timer] of waiting) {
      clearTimeout(timer)
      giveUp(task)
    }
    waiting.clear()
    pump()
  }

  function idle(): Promise<void> {
    return new Promise((resolve) => {
      idleWaiters.push(resolve)
      pump()
    })
  }

  return { add, abandon, close, idle }
}
