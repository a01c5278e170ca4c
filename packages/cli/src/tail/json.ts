import { isUtf8 } from 'node:buffer'
import {
  attributeText,
  contextAttributes,
  type HeaderValue,
  isJsonType,
  parseJson,
  positionText,
  stringifyJson,
  ThroughlineError,
} from '@throughline/core'
import { visibleJson } from '../escape.ts'
import { timeText } from './text.ts'
import type { View } from './view.ts'

/** A message as one line of JSON, whole; members that it does not have are left out. */
export function viewJson(view: View): string {
  const { timeMs, position, key, queueMs, event, mode, invalidEvent, context, origin, headers, contentType } =
    view
  const { destination, partition, offset } = position
  return visibleJson(
    stringifyJson({
      time: timeText(timeMs),
      place: positionText(position),
      destination,
      partition,
      offset,
      key: key === undefined ? undefined : jsonValue(key),
      queueMs,
      trace: context.span,
      tracestate: context.tracestate,
      baggage: context.baggage.length === 0 ? undefined : Object.fromEntries(context.baggage),
      contextProblems: context.problems.length === 0 ? undefined : context.problems,
      origin,
      mode,
      event: event === undefined ? undefined : attributesOf(event),
      invalidEvent,
      headers: headers.map(([name, value]) => [name, jsonValue(value)]),
      contentType,
      properties: view.properties,
      attributes: view.attributes,
      ...dataOf(view),
    }),
  )
}

function attributesOf(event: NonNullable<View['event']>): Record<string, unknown> {
  const { datacontenttype } = event
  const attributes = [...contextAttributes(event)].map(([name, value]) => [
    name,
    value instanceof Uint8Array ? attributeText(value) : value,
  ])
  return { ...Object.fromEntries(attributes), datacontenttype }
}

/** `data` where it is JSON or text, else `data_base64`, as in CloudEvents' own JSON. */
function dataOf({ data, event, mode, contentType }: View): { data?: unknown; data_base64?: string } {
  if (!(data instanceof Uint8Array)) return { data }
  const type = mode === 'structured' ? event?.datacontenttype : contentType
  const text = isUtf8(data) ? Buffer.from(data).toString() : undefined
  if (text === undefined) return { data_base64: Buffer.from(data).toString('base64') }
  return { data: type === undefined || isJsonType(type) ? parsedOr(text) : text }
}

function parsedOr(text: string): unknown {
  try {
    return parseJson(text, 'data')
  } catch (error) {
    if (error instanceof ThroughlineError) return text
    throw error
  }
}

/** Bytes that are not text are an object, so that no text can be taken for them. */
function jsonValue(value: HeaderValue): unknown {
  return typeof value === 'string' ? value : { base64: Buffer.from(value).toString('base64') }
}
