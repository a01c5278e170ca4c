import type { Subscriber, Transport } from '../contract.ts'
import { PermanentError, type StoppedError, UnavailableError } from '../errors.ts'
import { settleTracer } from '../tracing/settle.ts'
import { backoffMs } from './backoff.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { ConsumeSetting } from './giveup.ts'
import type { ConsumeOptions } from './options.ts'
import { createSettler } from './settler.ts'
import { sleep } from './sleep.ts'

/** What `subscribe` and `subscribeBatch` give: reading that goes on until it is closed, over lost connections too. */
export interface Subscription extends AsyncDisposable {
  /** Resolves when the subscription was closed; rejects with StoppedError when it stopped at a delivery, or with what made reading impossible. */
  readonly closed: Promise<void>
  readonly state: 'connecting' | 'running' | 'paused' | 'closing' | 'stopped'
  /** Reads nothing further; what was read is still handled. */
  pause(): void
  /** Goes on after `pause`. */
  resume(): void
  /** Stops reading, finishes what was read within `graceMs` (default 10 000), settles, disconnects. What is left comes again. Idempotent. */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

const GRACE_MS = 10_000
const RECONNECT = { minMs: 200, maxMs: 10_000 }

/**
 * Reads a subscriber and hands its deliveries to a dispatcher until closed. Resolves once it is connected; while the
 * broker cannot be reached it tries again with back-off and tells `onProblem`. `signal` ends that wait and closes.
 */
export async function openSubscription(
  transport: Transport<never, never>,
  subscriber: Subscriber,
  dispatch: (setting: ConsumeSetting, subscriber: Subscriber) => Dispatcher,
  options: ConsumeOptions,
  signal?: AbortSignal,
): Promise<Subscription> {
  const reading = new AbortController()
  const handling = new AbortController()
  const settler = createSettler(
    subscriber,
    (error) => options.onProblem?.({ kind: 'settle-failed', error }),
    options.settleSpans ? settleTracer(transport, subscriber, options.template) : undefined,
  )
  const connected = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  // Whoever does not look at `closed` has asked not to be told; it must not end the process.
  closed.promise.catch(() => undefined)
  let state: Subscription['state'] = 'connecting'
  let gate: PromiseWithResolvers<void> | null = null
  let ending: Promise<void> | null = null

  const setting: ConsumeSetting = {
    transport,
    options,
    settle: settler.settle,
    stop: (error) => void end(error, GRACE_MS),
    stopped: handling.signal,
  }
  const dispatcher = dispatch(setting, subscriber)

  async function read(): Promise<void> {
    for (let failures = 0; !reading.signal.aborted; ) {
      try {
        await subscriber.open()
        failures = 0
        if (state === 'connecting') state = gate === null ? 'running' : 'paused'
        connected.resolve()
        options.onProblem?.({ kind: 'connected' })
        await readWhileConnected()
      } catch (error) {
        if (reading.signal.aborted) return
        if (!(error instanceof UnavailableError)) throw error
        // What was read and not begun is delivered again by the broker on the next connection.
        dispatcher.abandon()
        const retryMs = backoffMs(++failures, RECONNECT)
        if (state === 'running') state = 'connecting'
        options.onProblem?.({ kind: 'disconnected', error, retryMs })
        await sleep(retryMs, reading.signal)
      }
    }
  }

  async function readWhileConnected(): Promise<void> {
    for await (const deliveries of subscriber.deliveries(reading.signal)) {
      // Once stopped, the dispatcher gives everything back at once.
      for (const delivery of deliveries) dispatcher.add(delivery)
      if (gate !== null) await Promise.race([gate.promise, aborted(reading.signal)])
    }
    if (!reading.signal.aborted) throw new UnavailableError('the subscriber ended by itself')
  }

  function end(error: StoppedError | Error | null, graceMs: number): Promise<void> {
    ending ??= finish(error, graceMs)
    return ending
  }

  async function finish(error: Error | null, graceMs: number): Promise<void> {
    state = 'closing'
    reading.abort()
    dispatcher.close()
    // Behind a delivery that stopped the subscription nothing of its key may be handled.
    if (error !== null) dispatcher.abandon()
    const grace = setTimeout(() => {
      handling.abort(new PermanentError('the subscription is closing'))
      dispatcher.abandon()
    }, graceMs)
    await Promise.race([dispatcher.idle(), aborted(handling.signal)])
    clearTimeout(grace)
    await settler.flush()
    await subscriber.close()
    signal?.removeEventListener('abort', onAbort)
    state = 'stopped'
    if (error === null) closed.resolve()
    else closed.reject(error)
    connected.reject(error ?? new PermanentError('the subscription was closed before it was connected'))
  }

  connected.promise.catch(() => undefined)
  const onAbort = () => void end(null, 0)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  void read().catch((error: unknown) =>
    end(error instanceof Error ? error : new Error(String(error)), GRACE_MS),
  )
  await connected.promise

  const close = ({ graceMs = GRACE_MS }: { graceMs?: number } = {}) => end(null, graceMs)
  return {
    closed: closed.promise,
    get state() {
      return state
    },
    pause() {
      if (state === 'running') state = 'paused'
      gate ??= Promise.withResolvers<void>()
    },
    resume() {
      if (state === 'paused') state = 'running'
      gate?.resolve()
      gate = null
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
