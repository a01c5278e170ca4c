import type { Position } from '../contract.ts'

/** A position as people write it: `sensor-readings[2]@17`, or the bare destination where there are no offsets. */
export function positionText({ destination, partition, offset }: Position): string {
  const place = partition === undefined ? destination : `${destination}[${partition}]`
  return offset === undefined ? place : `${place}@${offset}`
}
