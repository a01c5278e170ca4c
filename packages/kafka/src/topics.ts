import { setTimeout as delay } from 'node:timers/promises'
import { isPermanent, isUnknownTopic } from './errors.ts'

/** How long a topic may be unknown until that is believed: one that has just been created is not known everywhere yet. */
export const UNKNOWN_TOPIC_GRACE_MS = 1000
const MAX_AGE_MS = 30_000

/** Partition counts of topics, remembered; the number can grow, so they are asked for again now and then. */
export interface TopicTable {
  /**
   * The number itself where it is known, also while it is asked for again; a promise a message would be one too many.
   * Else tries until `timeoutMs` is over and rejects with the driver's last error.
   */
  partitionsOf(topic: string): Promise<number> | number
  forget(topic: string): void
  /** Resolves when nothing is being asked for. */
  idle(): Promise<void>
}

interface Entry {
  partitions: Promise<number> | number
  askedAt: number
  refreshing: boolean
}

/** @param onFailure told of every try that failed, for those whose time is up before the last one. */
export function createTopicTable(
  lookup: (topic: string) => Promise<number>,
  timeoutMs: number,
  onFailure: (error: unknown) => void,
): TopicTable {
  const entries = new Map<string, Entry>()
  const asking = new Set<Promise<unknown>>()

  function partitionsOf(topic: string): Promise<number> | number {
    const entry = entries.get(topic)
    if (entry === undefined) {
      const partitions = track(lookUp(topic))
      const asked: Entry = { partitions, askedAt: performance.now(), refreshing: false }
      entries.set(topic, asked)
      partitions.then(
        (known) => {
          asked.partitions = known
        },
        () => entries.delete(topic),
      )
      return partitions
    }
    if (!entry.refreshing && performance.now() - entry.askedAt > MAX_AGE_MS) void refresh(topic, entry)
    return entry.partitions
  }

  async function lookUp(topic: string): Promise<number> {
    const began = performance.now()
    for (let failures = 1; ; failures++) {
      try {
        return await lookup(topic)
      } catch (error) {
        onFailure(error)
        const patienceMs = isUnknownTopic(error) ? Math.min(UNKNOWN_TOPIC_GRACE_MS, timeoutMs) : timeoutMs
        const leftMs = patienceMs - (performance.now() - began)
        if (leftMs <= 0 || isPermanent(error)) throw error
        await pause(Math.min(backoffMs(failures), leftMs))
      }
    }
  }

  async function refresh(topic: string, entry: Entry): Promise<void> {
    entry.refreshing = true
    try {
      const partitions = await track(lookup(topic))
      entries.set(topic, {
        partitions,
        askedAt: performance.now(),
        refreshing: false,
      })
    } catch {
      // What was known goes on counting; a topic that is gone shows when it is written to.
      entry.refreshing = false
      entry.askedAt = performance.now()
    }
  }

  function track<T>(promise: Promise<T>): Promise<T> {
    asking.add(promise)
    const done = () => asking.delete(promise)
    promise.then(done, done)
    return promise
  }

  return {
    partitionsOf,
    forget: (topic) => void entries.delete(topic),
    async idle() {
      await Promise.allSettled(asking)
    },
  }
}

/** Pause before the next try after `failures`: 50 ms, doubling to 1 s. */
export function backoffMs(failures: number): number {
  return Math.min(1000, 50 * 2 ** Math.min(failures - 1, 10))
}

export function pause(ms: number): Promise<void> {
  return delay(ms)
}
