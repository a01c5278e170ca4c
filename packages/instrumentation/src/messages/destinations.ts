import { guarded } from '../guard.ts'
import type { ClientInstrumentationConfig } from '../options.ts'

/** A hook that throws names nothing. */
export function templateOf(
  { template }: ClientInstrumentationConfig,
  destination: string,
): string | undefined {
  return template === undefined ? undefined : guarded('template', () => template(destination))
}

export function ignores(
  ignore: ClientInstrumentationConfig['ignore'] = [],
): (destination: string) => boolean {
  if (ignore.length === 0) return () => false
  return (destination) =>
    ignore.some((each) => (typeof each === 'string' ? each === destination : destination.search(each) >= 0))
}
