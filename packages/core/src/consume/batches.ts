import type { Delivery, Subscriber } from '../contract.ts'
import { batchTracer, type Member } from '../tracing/batch.ts'
import { processTracer } from '../tracing/process.ts'
import { type BatchSetting, type BatchWork, handleBatch } from './batch.ts'
import { type Dispatcher, RELEASE } from './dispatcher.ts'
import type { ConsumeSetting } from './giveup.ts'
import { decode, deliveryHandler } from './handler.ts'
import type { BatchOptions } from './options.ts'

const MAX_MESSAGES = 10_000

/** Read and not yet in a batch. */
interface Pending extends Member {
  /** No valid event: it is given up by itself, at its turn. */
  readonly alone: boolean
  readonly arrivedMs: number
}

interface Running {
  readonly work: BatchWork
  readonly keys: ReadonlySet<string>
  timer: NodeJS.Timeout | null
}

/**
 * Deliveries in batches: one is begun when it is full or its first message has waited `maxWaitMs`. A key is in one batch
 * at a time, also while that one waits to be tried again, so that the key's order holds; other keys go on meanwhile.
 * Throws RangeError when `maxMessages` or `concurrency` make no sense.
 */
export function dispatchBatches(
  handler: BatchSetting['handler'],
  { maxMessages, maxWaitMs = 100, concurrency = 1 }: BatchOptions,
): (setting: ConsumeSetting, subscriber: Subscriber) => Dispatcher {
  if (!Number.isInteger(maxMessages) || maxMessages < 1 || maxMessages > MAX_MESSAGES) {
    throw new RangeError(`maxMessages is ${maxMessages}; expected a whole number from 1 to ${MAX_MESSAGES}`)
  }
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency is ${concurrency}; expected a whole number from 1`)
  }
  return (setting, subscriber) => {
    const { transport, options, settle } = setting
    const whole = { ...setting, handler, startProcess: batchTracer(transport, subscriber, options) }
    const startProcess = processTracer(transport, subscriber, options)
    const refuse = { raw: false as const, run: () => undefined }
    const alone = deliveryHandler({ ...setting, handler: refuse, startProcess })
    let pending: Pending[] = []
    const running = new Set<Running>()
    const waiting = new Set<Running>()
    const ready: Running[] = []
    const held = new Set<string>()
    const idleWaiters: (() => void)[] = []
    let due: NodeJS.Timeout | null = null
    let closed = false

    function add(delivery: Delivery): void {
      if (closed) {
        settle(delivery, RELEASE)
        return
      }
      const event = handler.raw ? undefined : decode(transport, delivery)
      const invalid = event instanceof Error
      pending.push({
        delivery,
        event: invalid ? undefined : event,
        alone: invalid,
        arrivedMs: performance.now(),
      })
      if (pending.length >= maxMessages) pump()
      else schedule(maxWaitMs)
    }

    function schedule(delayMs: number): void {
      due ??= setTimeout(() => {
        due = null
        pump()
      }, delayMs)
    }

    function pump(): void {
      while (running.size < concurrency) {
        const next = ready.shift() ?? form()
        if (next === null) break
        start(next)
      }
      if (running.size === 0 && waiting.size === 0 && ready.length === 0 && pending.length === 0) {
        for (const resolve of idleWaiters.splice(0)) resolve()
      }
    }

    function start(batch: Running): void {
      running.add(batch)
      void batch.work.step().then((delayMs) => {
        running.delete(batch)
        if (delayMs === null) free(batch)
        else if (closed) abandonBatch(batch)
        else {
          waiting.add(batch)
          batch.timer = setTimeout(() => {
            waiting.delete(batch)
            ready.push(batch)
            pump()
          }, delayMs)
        }
        pump()
      })
    }

    /** The next batch, of what may be handled now and in the order it came; null while it is worth waiting for more. */
    function form(): Running | null {
      const blocked = new Set<string>()
      const taken: Pending[] = []
      const left: Pending[] = []
      for (const item of pending) {
        const key = item.delivery.orderKey
        const free = key === undefined || !(held.has(key) || blocked.has(key))
        const fits = item.alone ? taken.length === 0 : taken.length < maxMessages && !taken[0]?.alone
        if (free && fits) taken.push(item)
        else {
          left.push(item)
          if (key !== undefined) blocked.add(key)
        }
      }
      const [first] = taken
      if (first === undefined) return null
      const waitMs = first.arrivedMs + maxWaitMs - performance.now()
      if (!first.alone && taken.length < maxMessages && waitMs > 0 && !closed) {
        schedule(waitMs)
        return null
      }
      pending = left
      const keys = new Set(taken.flatMap(({ delivery }) => delivery.orderKey ?? []))
      for (const key of keys) held.add(key)
      return { work: workOf(taken, first), keys, timer: null }
    }

    function workOf(taken: readonly Pending[], first: Pending): BatchWork {
      if (!first.alone) return handleBatch(whole, taken)
      const { delivery } = first
      const work = alone.begin(delivery)
      return { step: async () => alone.step(work), unsettled: () => [delivery] }
    }

    function free({ keys }: Running): void {
      for (const key of keys) held.delete(key)
    }

    /** Gives back a batch, and what came after it of its keys: that must not overtake it. */
    function abandonBatch(batch: Running): void {
      if (batch.timer !== null) clearTimeout(batch.timer)
      for (const delivery of batch.work.unsettled()) settle(delivery, RELEASE)
      const isBehind = ({ delivery: { orderKey } }: Pending) =>
        orderKey !== undefined && batch.keys.has(orderKey)
      for (const { delivery } of pending.filter(isBehind)) settle(delivery, RELEASE)
      pending = pending.filter((item) => !isBehind(item))
      free(batch)
    }

    function abandonIdle(): void {
      for (const batch of [...waiting, ...ready]) abandonBatch(batch)
      waiting.clear()
      ready.length = 0
    }

    return {
      add,
      abandon() {
        abandonIdle()
        for (const { delivery } of pending) settle(delivery, RELEASE)
        pending = []
        pump()
      },
      close() {
        closed = true
        if (due !== null) clearTimeout(due)
        due = null
        abandonIdle()
        pump()
      },
      idle: () =>
        new Promise((resolve) => {
          idleWaiters.push(resolve)
          pump()
        }),
    }
  }
}
