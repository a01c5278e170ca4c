/**
 * A copy of what the application gave, some of it replaced. What an instance of its own class answers by getters, the
 * copy has too: a client reads a message by its names, whoever made it.
 */
export function copyWith<Source extends object, More extends object>(
  source: Source,
  more: More,
): Source & More {
  const prototype: unknown = Object.getPrototypeOf(source)
  if (prototype === Object.prototype || prototype === null) return { ...source, ...more }
  return { ...inherited(source, prototype), ...source, ...more } as Source & More
}

function inherited(source: object, prototype: unknown): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (
    let level = prototype;
    isObject(level) && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name !== 'constructor' && !(name in found)) found[name] = Reflect.get(source, name)
    }
  }
  return found
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
