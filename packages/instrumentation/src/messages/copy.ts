/**
 * A copy of what the application gave, some of it replaced. A client reads a message by its names, whoever made it: what
 * an instance of its own class answers by getters, the copy answers too. They are called on the instance, and not before
 * the client asks, since one that it never asks for may throw.
 */
export function copyWith<Source extends object, More extends object>(
  source: Source,
  more: More,
): Source & More {
  const prototype: unknown = Object.getPrototypeOf(source)
  if (prototype === Object.prototype || prototype === null) {
    try {
      return { ...source, ...more }
    } catch {
      // A getter of its own has thrown.
    }
  }
  return mirror(source, more) as Source & More
}

function mirror(source: object, more: object): object {
  const copy: object = { ...more }
  for (
    let level: object | null = source;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Reflect.ownKeys(level)) {
      if (name === 'constructor' || Object.hasOwn(copy, name)) continue
      const descriptor = Object.getOwnPropertyDescriptor(level, name)
      if (descriptor !== undefined) Object.defineProperty(copy, name, mirrored(descriptor, source))
    }
  }
  return copy
}

/** Whoever has the copy may write into it, also where the application has frozen what it is a copy of. */
function mirrored(descriptor: PropertyDescriptor, source: object): PropertyDescriptor {
  const { get, set, value, enumerable = false } = descriptor
  const isAccessor = get !== undefined || set !== undefined
  if (!isAccessor) return { value, enumerable, writable: true, configurable: true }
  return {
    ...(get && { get: get.bind(source) }),
    ...(set && { set: set.bind(source) }),
    enumerable,
    configurable: true,
  }
}
