import { z } from 'zod'
import { connectionSchemas } from './connections.ts'
import type { ConfigDocument, Path } from './document.ts'
import { sourceSchemas, targetSchemas } from './ends.ts'
import { didYouMean } from './nearest.ts'
import { routeShape } from './schema.ts'

/** Fields of a later version: refused by name, because a route without its filter would forward everything. */
const LATER: ReadonlySet<string> = new Set([
  'filter',
  'where',
  'onFilterError',
  'transform',
  'set',
  'split',
  'dedupe',
  'replay',
  'envelope',
])

/** What zod says in this schema's terms: the names that are known where one is unknown. */
const wording: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : []
    return issue.keys.map((key) => unknownKey(key, known)).join('\n')
  }
  return issue.code === 'invalid_type' && (issue.expected === 'object' || issue.expected === 'record')
    ? 'expected a mapping'
    : undefined
}

function unknownKey(key: string, known: readonly string[]): string {
  if (LATER.has(key)) return 'is of a later version and not available in this one'
  const meant = didYouMean(key, known)
  if (meant !== '') return `is unknown here${meant}`
  const place = placesOf(key)
  return `is unknown here${place === undefined ? '' : ` (it belongs to ${place})`}; expected ${listed(known)}`
}

/** Where a key that stands in the wrong place would be right. */
function placesOf(key: string): string | undefined {
  if (Object.hasOwn(routeShape, key) || key === 'deadLetter' || key === 'from' || key === 'to')
    return 'the route itself'
  for (const [where, schemas] of [
    ['from', sourceSchemas],
    ['to', targetSchemas],
  ] as const) {
    const transports = Object.entries(schemas).filter(([, schema]) => Object.hasOwn(schema.in.shape, key))
    if (transports.length > 0) return `${where} of ${listed(transports.map(([name]) => name))}`
  }
  const types = Object.entries(connectionSchemas).filter(([, schema]) => Object.hasOwn(schema.shape, key))
  return types.length > 0 ? `connections of ${listed(types.map(([name]) => name))}` : undefined
}

export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** The value by its schema, or undefined after everything wrong with it has been reported. `path` is where the value stands. */
export function parsePart<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: Path,
  document: ConfigDocument,
): z.output<Schema> | undefined {
  const result = schema.safeParse(value, { error: wording })
  if (result.success) return result.data
  for (const issue of result.error.issues) reportIssue(issue, value, path, document)
  return undefined
}

function reportIssue(issue: z.core.$ZodIssue, root: unknown, base: Path, document: ConfigDocument): void {
  const path = [...base, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const texts = issue.message.split('\n')
    for (const [index, key] of issue.keys.entries()) document.reportKey([...path, key], texts[index] ?? '')
    return
  }
  if (issue.code === 'invalid_key') {
    document.reportKey(path, `is no name to use here: ${issue.issues[0]?.message ?? ''}`)
    return
  }
  const value = valueAt(root, issue.path)
  if (value === undefined) document.report(path, `is required: ${issue.message}`)
  else if (value === null) document.report(path, `is empty: ${issue.message}`)
  else if (issue.code === 'custom') document.report(path, `${document.written(path)} ${issue.message}`)
  else document.report(path, `${issue.message}, not ${document.written(path)}`)
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const segment of path) {
    if (typeof value === 'string') return value
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, segment)
  }
  return value
}
