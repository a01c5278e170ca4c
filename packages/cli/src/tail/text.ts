import { styleText } from 'node:util'
import {
  attributeText,
  contextAttributes,
  type HeaderValue,
  positionText,
  stringifyJson,
} from '@throughline/core'
import { type Shown, showBytes, showText } from './body.ts'
import type { SeenSpan } from './context.ts'
import { visible } from './escape.ts'
import type { View } from './view.ts'

/** How much is shown. */
export interface TextOptions {
  /** Characters of data, and bytes of a dump. */
  readonly cut: number
  readonly colours: boolean
}

const LABEL_WIDTH = 10
const INDENT = '  '
/** A header may be as long as its broker lets it. */
const VALUE_CUT = 500

/** A message as people read it: several lines, the last of them empty, with nothing in them that a terminal would obey. */
export function viewText(view: View, { cut, colours }: TextOptions): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colours ? styleText(style, text, { validateStream: false }) : text
  const row = (label: string, text: string) => `${INDENT}${paint('dim', label.padEnd(LABEL_WIDTH))}${text}`
  const problem = (label: string, text: string) => row(label, paint('red', visible(text)))
  const span = ({ traceId, spanId, sampled, random }: SeenSpan) =>
    `${paint('cyan', traceId)}  span ${spanId}  ${sampled ? 'sampled' : 'not sampled'}${random ? ', random' : ''}`
  const { event, invalidEvent, context, origin, headers, contentType } = view

  const lines = [heading()]
  if (invalidEvent !== undefined) lines.push(problem('event', `not valid: ${invalidEvent}`))
  else if (event === undefined) lines.push(row('event', 'none'))
  else {
    lines.push(row('event', `${paint('bold', visible(event.type))}  ${view.mode}`))
    for (const [name, value] of contextAttributes(event)) {
      if (name !== 'type' && name !== 'specversion')
        lines.push(row('', `${name} ${shortened(attributeText(value))}`))
    }
  }
  if (context.span !== undefined) lines.push(row('trace', span(context.span)))
  else if (context.problems.length === 0) lines.push(row('trace', 'none'))
  for (const text of context.problems) lines.push(problem('trace', text))
  if (context.tracestate !== undefined) lines.push(row('state', shortened(context.tracestate)))
  if (context.baggage.length > 0) {
    lines.push(
      row('baggage', shortened(context.baggage.map(([name, value]) => `${name}=${value}`).join('  '))),
    )
  }
  if (origin !== undefined) lines.push(row('origin', span(origin)))
  for (const [name, value] of Object.entries(view.properties ?? {})) {
    if (name !== 'timestampMs') lines.push(row('property', `${name} ${shortened(String(value))}`))
  }
  headers.forEach(([name, value], index) => {
    lines.push(row(index === 0 ? 'headers' : '', `${visible(name)}: ${headerText(value)}`))
  })
  return [...lines, ...data(), '', ''].join('\n')

  function heading(): string {
    const { timeMs, position, key, queueMs, attributes } = view
    const { 'messaging.mqtt.qos': qos, 'messaging.mqtt.retain': retained } = attributes
    return [
      paint('dim', timeText(timeMs)),
      paint('bold', visible(positionText(position))),
      ...(key === undefined ? [] : [`key ${headerText(key)}`]),
      ...(qos === undefined ? [] : [`QoS ${qos}`]),
      ...(retained === true ? ['retained'] : []),
      ...(queueMs === undefined ? [] : [queueText(queueMs)]),
    ].join('  ')
  }

  function data(): readonly string[] {
    const type = view.mode === 'structured' ? event?.datacontenttype : contentType
    const named = (what: string) => [visible(type ?? ''), what].filter((part) => part !== '').join(', ')
    if (view.data === undefined) return [row('data', named('none'))]
    const shown = showData(view.data, cut)
    const size = view.data instanceof Uint8Array ? `${view.data.byteLength} bytes` : ''
    const more = shown.cut === 0 ? [] : [paint('dim', `${INDENT}${INDENT}… ${shown.cut} more (--full)`)]
    return [row('data', named(size)), ...shown.lines.map((line) => `${INDENT}${INDENT}${line}`), ...more]
  }
}

function showData(data: unknown, cut: number): Shown {
  if (data instanceof Uint8Array) return showBytes(data, cut)
  return showText(typeof data === 'string' ? data : stringifyJson(data), cut)
}

function headerText(value: HeaderValue): string {
  return typeof value === 'string' ? shortened(value) : `0x${shortened(Buffer.from(value).toString('hex'))}`
}

function shortened(text: string): string {
  return visible(text.length > VALUE_CUT ? `${text.slice(0, VALUE_CUT)}…` : text)
}

/** ISO 8601; what is no time of a calendar is a stranger's and shown as it came. */
export function timeText(unixMs: number): string {
  const time = new Date(unixMs)
  return Number.isNaN(time.getTime()) ? `time ${unixMs}` : time.toISOString()
}

function queueText(queueMs: number): string {
  if (queueMs < 0) return `sent ${durationText(-queueMs)} from now: the clocks differ`
  return `queued ${durationText(queueMs)}`
}

/** `3.2 ms`, `41.0 s`, `2 h 5 min` */
export function durationText(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(1)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`
}
