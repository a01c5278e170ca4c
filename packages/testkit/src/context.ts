import type { Context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'

/** The context manager of Node, which remembers what is still running in a context and who has not put one back. */
export class StrictContextManager extends AsyncLocalStorageContextManager {
  #running = new Set<symbol>()
  #attached = new Set<symbol>()

  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const result = super.with(active, fn, thisArg, ...args)
    if (result instanceof Promise) this.#watch(result)
    return result
  }

  override attach(active: Context): { dispose(): void } {
    const token = super.attach(active)
    const attached = Symbol('attached')
    this.#attached.add(attached)
    return {
      dispose: () => {
        this.#attached.delete(attached)
        token.dispose()
      },
    }
  }

  /** What is still active, one sentence each. */
  leaks(): readonly string[] {
    const leaks: string[] = []
    if (this.#running.size > 0)
      leaks.push(`context still active: ${this.#running.size} async calls not finished`)
    if (this.#attached.size > 0)
      leaks.push(`context still active: ${this.#attached.size} attached, not disposed`)
    return leaks
  }

  reset(): void {
    this.#running.clear()
    this.#attached.clear()
  }

  #watch(promise: Promise<unknown>): void {
    const running = Symbol('running')
    this.#running.add(running)
    const done = () => this.#running.delete(running)
    promise.then(done, done)
  }
}
