import { pathToFileURL } from 'node:url'

type AnyFunction = (...args: readonly unknown[]) => unknown

/**
 * A function of a module that is known by its path alone.
 *
 * @throws Error where the module has none of that name.
 */
export async function functionOf(file: string, name: string): Promise<AnyFunction> {
  const loaded: unknown = await import(pathToFileURL(file).href)
  const found = typeof loaded === 'object' && loaded !== null ? Reflect.get(loaded, name) : undefined
  if (!isFunction(found)) throw new Error(`${file} has no function ${name}`)
  return found
}

function isFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function'
}
