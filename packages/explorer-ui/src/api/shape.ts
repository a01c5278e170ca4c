/**
 * Checks that what the server answered has the shape the types promise. A page that is older than its server
 * would otherwise fail far from the cause, as `undefined is not a function` in the middle of a drawing.
 */
export type Shape<T> = (value: unknown, path: string) => value is T

export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  readonly code = 'TL_UI_ANSWER_SHAPE'
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value
}

function primitive<T>(expected: string, matches: (value: unknown) => value is T): Shape<T> {
  return (value, path): value is T => {
    if (matches(value)) return true
    throw new ShapeError(`${path}: expected ${expected}, got ${kindOf(value)}`)
  }
}

export const text: Shape<string> = primitive('text', (value) => typeof value === 'string')
export const number: Shape<number> = primitive('a number', (value) => typeof value === 'number')
export const flag: Shape<boolean> = primitive('true or false', (value) => typeof value === 'boolean')

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One of the names of a table, which the compiler keeps complete: a name added to the type is missing here. */
export function keyOf<T extends string>(names: Readonly<Record<T, true>>): Shape<T> {
  return primitive(`one of ${Object.keys(names).join(', ')}`, (value): value is T => {
    return typeof value === 'string' && Object.hasOwn(names, value)
  })
}

/** The shape, or null. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path): value is T | null => value === null || shape(value, path)
}

/** A list of the shape. */
export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, path): value is readonly T[] => {
    if (!Array.isArray(value)) throw new ShapeError(`${path}: expected a list, got ${kindOf(value)}`)
    return value.every((item, index) => shape(item, `${path}[${index}]`))
  }
}

/** An object with at least these members; further ones (a newer server) are let through. */
export function object<T extends object>(members: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const shapes: readonly (readonly [string, Shape<unknown>])[] = Object.entries<Shape<unknown>>(members)
  return (value, path): value is T => {
    if (!isRecord(value)) throw new ShapeError(`${path}: expected an object, got ${kindOf(value)}`)
    return shapes.every(([name, shape]) => shape(value[name], `${path}.${name}`))
  }
}

/** A map from names to anything JSON can say. */
export function map<T>(): Shape<Readonly<Record<string, T>>> {
  return primitive('an object', (value): value is Readonly<Record<string, T>> => isRecord(value))
}

/**
 * The value, when it has the shape.
 *
 * @throws {ShapeError} naming the member that is not as expected
 */
export function parse<T>(shape: Shape<T>, value: unknown, name: string): T {
  if (shape(value, name)) return value
  throw new ShapeError(`${name}: unexpected answer`)
}
