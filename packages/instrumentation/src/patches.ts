import { isWrapped } from '@opentelemetry/instrumentation'
import { isTraced } from '@throughline/core'
import { guarded, warnOnce } from './guard.ts'
import { datadogTraces } from './rivals.ts'
import { used } from './set-up/first-use.ts'

// biome-ignore lint/suspicious/noExplicitAny: a wrapper passes on whatever its original takes and gives
export type Method = (this: any, ...args: any[]) => any

/** Our own wrappers: what wraps a method beside them is somebody else's instrumentation. */
const own = new WeakSet<object>()

type OnMade = (instance: object, args: readonly unknown[]) => void

/** The methods of a client that are wrapped. */
export interface Patches {
  /**
   * Replaces a method of a class or a module by what `make` makes of it, until `restore`. Does nothing where there is no
   * such method or it is wrapped already. The original runs alone while the instrumentation is disabled, where another one
   * has wrapped the same method, and for a client that Throughline's library has made and traces itself.
   */
  wrap(target: object | undefined, name: string | symbol, make: (original: Method) => Method): void
  /** The same for one object that the client has made: it is not given back, its original runs alone once disabled. */
  wrapOwn(target: object, name: string | symbol, make: (original: Method) => Method): void
  /**
   * Calls `onMade` with each instance of a class that the application makes from now on, until `restore`. Of a class that
   * was followed before, the first `onMade`.
   */
  construct(target: object, name: string | symbol, onMade: OnMade): void
  /** Whether another instrumentation has wrapped one of a class's methods that ours leaves as they are; warned of. */
  isLeftToAnother(target: object, ...names: readonly string[]): boolean
  /** Gives the originals back, where nobody has wrapped ours since. */
  restore(): void
}

/** `enabled`: asked at each call. `client` names it in warnings: `kafkajs`. */
export function createPatches(client: string, enabled: () => boolean): Patches {
  const restores: (() => void)[] = []
  /** By what they stand for: a class that two names lead to is one class. */
  const followed = new WeakMap<object, Method>()
  const isDatadogs = datadogTraces(client, process.env)

  /** False where it cannot be replaced. */
  function replace(target: object, name: string | symbol, original: unknown, wrapper: object): boolean {
    const undo = put(target, name, original, wrapper)
    if (undo !== undefined) restores.push(undo)
    return undo !== undefined
  }

  function following(original: Method, onMade: OnMade): Method {
    const wrapped = new Proxy(original, {
      construct(inner, args, newTarget) {
        const instance: object = Reflect.construct(inner, args, newTarget)
        if (enabled()) guarded(`a new ${client}`, () => onMade(instance, args))
        return instance
      },
    })
    followed.set(original, wrapped)
    return wrapped
  }

  function wrapper(name: string | symbol, original: Method, traced: Method): Method {
    const wasWrapped = isWrapped(original)
    const wrapped: Method = function (...args) {
      if (!enabled() || isTraced(this)) return original.apply(this, args)
      if (wasWrapped || isDatadogs() || isWrappedAround(this, name, wrapped)) {
        warnOfRival(client)
        return original.apply(this, args)
      }
      used()
      return traced.apply(this, args)
    }
    return Object.defineProperties(wrapped, {
      name: { value: original.name },
      length: { value: original.length },
    })
  }

  return {
    wrap(target, name, make) {
      const original = target === undefined ? undefined : methodOf(target, name)
      if (target === undefined || original === undefined) return
      replace(target, name, original, wrapper(name, original, make(original)))
    },

    wrapOwn(target, name, make) {
      const original = methodOf(target, name)
      if (original !== undefined) put(target, name, original, wrapper(name, original, make(original)))
    },

    construct(target, name, onMade) {
      const original = methodOf(target, name)
      if (original === undefined) return
      const wrapped = followed.get(original) ?? following(original, onMade)
      const isReplaced = replace(target, name, original, wrapped)
      // `kafka.constructor === Kafka` holds as it did.
      const { prototype } = original
      if (isReplaced && prototype?.constructor === original) {
        replace(prototype, 'constructor', original, wrapped)
      }
    },

    isLeftToAnother(target, ...names) {
      const isIts = names.some((name) => isWrapped(Reflect.get(target, name)))
      if (isIts) warnOfRival(client)
      return isIts
    },

    restore() {
      for (const restore of restores.splice(0).reverse()) restore()
    },
  }
}

/**
 * Puts a wrapper in the place of its original; gives what undoes it where nobody has wrapped it since. Undefined where it
 * cannot be put: a getter of a module that was compiled to CommonJS. The client is then left as it is.
 */
function put(
  target: object,
  name: string | symbol,
  original: unknown,
  wrapper: object,
): (() => void) | undefined {
  own.add(wrapper)
  if (Object.hasOwn(target, name)) {
    if (!Reflect.set(target, name, wrapper)) return undefined
    return () => {
      if (Reflect.get(target, name) === wrapper) Reflect.set(target, name, original)
    }
  }
  // Inherited: as little to be seen when the object is listed as it was, and gone again afterwards.
  const descriptor = { value: wrapper, writable: true, configurable: true, enumerable: false }
  if (!Reflect.defineProperty(target, name, descriptor)) return undefined
  return () => {
    if (Reflect.get(target, name) === wrapper) Reflect.deleteProperty(target, name)
  }
}

/** Undefined where there is none, or it is ours already. */
function methodOf(target: object, name: string | symbol): Method | undefined {
  const method: unknown = Reflect.get(target, name)
  return typeof method === 'function' && !own.has(method) ? (method as Method) : undefined
}

/** True where another instrumentation has wrapped ours. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the method was called on
function isWrappedAround(self: any, name: string | symbol, wrapped: Method): boolean {
  const outermost: unknown = self?.[name]
  return outermost !== wrapped && typeof outermost === 'function' && isWrapped(outermost)
}

function warnOfRival(client: string): void {
  warnOnce(
    `${client} is traced by another instrumentation too: Throughline's does nothing for it, or each message would have two spans and two contexts. Disable one of the two`,
  )
}
