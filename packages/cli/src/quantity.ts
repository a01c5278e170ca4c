import { InvalidArgumentError } from 'commander'

const durations: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3 }
const sizes: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** `90m`, `12h`, `7d` in milliseconds. Throws InvalidArgumentError. */
export function parseDuration(text: string): number {
  const value = scaled(text, (unit) => durations[unit])
  if (value === undefined) throw new InvalidArgumentError('Expected a duration such as 90m, 12h or 7d.')
  return value
}

/** `500MB`, `10GB`, `2GiB` in bytes. Throws InvalidArgumentError. */
export function parseBytes(text: string): number {
  const value = scaled(text, (unit) => sizes[unit.toUpperCase()])
  if (value === undefined) throw new InvalidArgumentError('Expected a size such as 500MB, 10GB or 2GiB.')
  return value
}

function scaled(text: string, scaleOf: (unit: string) => number | undefined): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? []
  const scale = unit === undefined ? undefined : scaleOf(unit)
  if (scale === undefined) return undefined
  const value = Math.round(Number(number) * scale)
  return value > 0 && Number.isSafeInteger(value) ? value : undefined
}
