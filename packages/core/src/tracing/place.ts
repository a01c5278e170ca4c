import type { Attributes } from '@opentelemetry/api'
import { destinationAttributes } from './attributes.ts'

/** What the spans of one destination or source have in common. */
export interface Place {
  /** Low-cardinality name, where it has one beside the destination's own: a template, or a subscription's pattern. */
  readonly name: string | undefined
  readonly destination: string
  /** `{operation} {name or destination}` */
  readonly spanName: string
  readonly attributes: Attributes
}

/** A pattern may stand for any number of destinations. */
const MAX_PLACES = 1000

/** Places are made once a destination and not at each message. */
export function createPlaces(
  operation: string,
  fixed: Attributes,
): (destination: string, name: string | undefined) => Place {
  const places = new Map<string, Place>()
  return (destination, name) => {
    const known = places.get(destination)
    if (known !== undefined && known.name === name) return known
    if (places.size >= MAX_PLACES) places.clear()
    const place: Place = {
      name,
      destination,
      spanName: `${operation} ${name ?? destination}`,
      attributes: { ...fixed, ...destinationAttributes(destination, name) },
    }
    places.set(destination, place)
    return place
  }
}
