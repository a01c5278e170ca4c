import { EventEmitter } from 'node:events'
import { type Context, context as contexts } from '@opentelemetry/api'
import { errorOf } from '../guard.ts'
import type { Method } from '../patches.ts'

/**
 * Emits as Node's own `emit` does, the listeners in a context, with the promises that they give, which Node drops.
 * `outside`: listeners that are called in no context of ours. Where `emit` is another's, or Node handles the promises
 * itself, it runs as it is and they are not known.
 */
export function callListeners(
  emitter: EventEmitter,
  emit: Method,
  args: unknown[],
  context: Context,
  outside?: WeakSet<object>,
): { readonly isHeard: unknown; readonly promises: readonly Promise<unknown>[] } {
  const promises: Promise<unknown>[] = []
  if (emit !== EventEmitter.prototype.emit || EventEmitter.captureRejections) {
    return { isHeard: contexts.with(context, () => emit.apply(emitter, args)), promises }
  }
  const [event, ...given] = args
  const listeners = emitter.rawListeners(event as string)
  for (const listener of listeners) {
    const result: unknown = outside?.has(listener)
      ? Reflect.apply(listener, emitter, given)
      : contexts.with(context, listener as Method, emitter, ...given)
    if (result instanceof Promise) promises.push(result)
  }
  return { isHeard: listeners.length > 0, promises }
}

/** Calls back when all promises are settled, with what failed first. A rejection that nobody handles stays one. */
export function follow(promises: readonly Promise<unknown>[], onEnd: (failure: unknown) => void): void {
  let open = promises.length
  if (open === 0) {
    onEnd(undefined)
    return
  }
  let failure: unknown
  const done = () => {
    open--
    if (open === 0) onEnd(failure)
  }
  for (const promise of promises) {
    // The promise that follows is not handled either, where this one is not.
    void promise.then(done, (error: unknown) => {
      failure ??= error ?? errorOf(error)
      done()
      throw error
    })
  }
}
