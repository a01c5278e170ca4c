import type { Header } from '@throughline/core'
import type { InjectedContext } from '@throughline/core/tracing'

/** Headers as most clients have them: an object, a list where a name comes more than once. */
export type HeaderRecord = Readonly<Record<string, unknown>>

/** What can be read of them, in order: text and bytes. Other values (AMQP's numbers, tables) are the application's alone. */
export function headersOf(record: HeaderRecord | null | undefined): Header[] {
  const headers: Header[] = []
  if (record === null || record === undefined) return headers
  for (const name of Object.keys(record)) {
    const value = record[name]
    if (isReadable(value)) headers.push([name, value])
    else if (Array.isArray(value)) {
      for (const each of value) if (isReadable(each)) headers.push([name, each])
    }
  }
  return headers
}

export function isReadable(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}

/** A copy of the application's headers with others in place of those that they replace. The one given is not changed. */
export function withHeaders(
  record: HeaderRecord | null | undefined,
  { headers, replaces }: InjectedContext,
): Record<string, unknown> {
  // Spreading defines what assigning would set: a header may be called `__proto__`.
  const copy: Record<string, unknown> = { ...record }
  for (const name of Object.keys(copy)) if (replaces.has(name.toLowerCase())) delete copy[name]
  for (const [name, value] of headers) copy[name] = value
  return copy
}
