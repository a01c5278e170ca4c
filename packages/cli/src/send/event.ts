import { randomUUID } from 'node:crypto'
import {
  type CloudEvent,
  decodeData,
  decodeText,
  eventFromJson,
  isJsonType,
  parseJson,
  validateEvent,
} from '@throughline/core'
import type { Data } from './data.ts'

/** Attributes that the command line gives. */
export interface GivenAttributes {
  /** RFC 3339, or `now`. */
  readonly time?: string
  readonly datacontenttype?: string
  readonly [attribute: string]: string | undefined
}

const DEFAULT_SOURCE = '/throughline/send'

/** An event with this data. Throws InvalidEventError, also for data that is not of its media type. */
export function eventOf(given: GivenAttributes, data: Data | undefined): CloudEvent {
  const event = { ...attributesOf(given), ...(data === undefined ? {} : dataOf(given, data)) }
  validateEvent(event)
  return event
}

/** An event from a line of JSON; what it lacks is taken from `given`. Throws InvalidEventError. */
export function eventOfLine(given: GivenAttributes, line: Uint8Array): CloudEvent {
  const json = parseJson(decodeText(line, 'body'), 'body')
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json)
  return eventFromJson(isObject ? { ...attributesOf(given), ...json } : json)
}

function attributesOf({ time, ...others }: GivenAttributes): Record<string, unknown> {
  const at = time === 'now' ? new Date().toISOString() : time
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: DEFAULT_SOURCE,
    ...others,
    ...(at === undefined ? {} : { time: at }),
  }
}

/** JSON goes as its bytes, digits and blanks as they were written; text as text, which structured mode has a form for. */
function dataOf({ datacontenttype }: GivenAttributes, { bytes, guessedType }: Data): Record<string, unknown> {
  const type = datacontenttype ?? guessedType
  const value = decodeData(bytes, type)
  if (value === undefined) return {}
  return { datacontenttype: type, data: typeof value === 'string' && !isJsonType(type) ? value : bytes }
}
