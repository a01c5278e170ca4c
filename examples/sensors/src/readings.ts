import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Reading {
  /** Local time in Seattle, as the series has it: hourly normals of 1981 to 2010, dated 2010. */
  readonly observed: string
  readonly celsius: number
  readonly hectopascal: number
  /** Metres per second. */
  readonly wind: number
}

const file = join(
  fileURLToPath(import.meta.resolve('vega-datasets')),
  '../../data/seattle-weather-hourly-normals.csv',
)

/** NOAA's hourly normals of temperature, pressure and wind for Seattle, in order of time, without end. */
export async function* readings(): AsyncGenerator<Reading> {
  for (;;) {
    let header: readonly string[] | undefined
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const cells = line.split(',')
      if (header === undefined) header = cells
      else yield readingOf(header, cells)
    }
  }
}

function readingOf(header: readonly string[], cells: readonly string[]): Reading {
  const cell = (name: string) => cells[header.indexOf(name)] ?? ''
  return {
    observed: cell('date'),
    celsius: Number(cell('temperature')),
    hectopascal: Number(cell('pressure')),
    wind: Number(cell('wind')),
  }
}
