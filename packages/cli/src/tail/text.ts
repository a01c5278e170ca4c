import { styleText } from 'node:util'
import {
  attributeText,
  contextAttributes,
  type HeaderValue,
  positionText,
  stringifyJson,
} from '@throughline/core'
import { visible } from '../escape.ts'
import { type Shown, showBytes, showText } from './body.ts'
import type { SeenSpan } from './context.ts'
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

/** How rows are written: labelled, with colours or without. */
interface Style {
  paint(format: Parameters<typeof styleText>[0], text: string): string
  /** Of what follows under the same label, the label is left out. */
  rows(label: string, texts: readonly string[]): readonly string[]
}

function styleOf(colours: boolean): Style {
  const paint: Style['paint'] = (format, text) =>
    colours ? styleText(format, text, { validateStream: false }) : text
  return {
    paint,
    rows: (label, texts) =>
      texts.map((text, index) => {
        const shown = (index === 0 ? label : '').padEnd(LABEL_WIDTH)
        return `${INDENT}${paint('dim', shown)}${text}`
      }),
  }
}

/** A message as people read it: several lines, the last of them empty, with nothing in them that a terminal would obey. */
export function viewText(view: View, { cut, colours }: TextOptions): string {
  const style = styleOf(colours)
  const { context, origin, headers, properties = {} } = view
  const { timestampMs: _, ...others } = properties
  const baggage = context.baggage.map(([name, value]) => `${name}=${value}`)
  return [
    heading(view, style),
    ...style.rows('event', eventTexts(view, style)),
    ...style.rows('trace', traceTexts(view, style)),
    ...style.rows('state', context.tracestate === undefined ? [] : [shortened(context.tracestate)]),
    ...style.rows('baggage', baggage.map(shortened)),
    ...style.rows('origin', origin === undefined ? [] : [spanText(origin, style)]),
    ...style.rows(
      'property',
      Object.entries(others).map(([name, value]) => `${name} ${shortened(String(value))}`),
    ),
    ...style.rows(
      'headers',
      headers.map(([name, value]) => `${shortened(name)}: ${headerText(value)}`),
    ),
    ...dataLines(view, cut, style),
    '',
    '',
  ].join('\n')
}

function heading({ timeMs, position, key, queueMs, attributes }: View, { paint }: Style): string {
  const { 'messaging.mqtt.qos': qos, 'messaging.mqtt.retain': retained } = attributes
  return [
    paint('dim', timeText(timeMs)),
    paint('bold', shortened(positionText(position))),
    ...(key === undefined ? [] : [`key ${headerText(key)}`]),
    ...(qos === undefined ? [] : [`QoS ${qos}`]),
    ...(retained === true ? ['retained'] : []),
    ...(queueMs === undefined ? [] : [queueText(queueMs)]),
  ].join('  ')
}

function eventTexts({ event, mode, invalidEvent }: View, { paint }: Style): readonly string[] {
  if (invalidEvent !== undefined) return [paint('red', visible(`not valid: ${invalidEvent}`))]
  if (event === undefined) return ['none']
  const others = [...contextAttributes(event)].filter(([name]) => name !== 'type' && name !== 'specversion')
  return [
    `${paint('bold', shortened(event.type))}  ${mode}`,
    ...others.map(([name, value]) => `${name} ${shortened(attributeText(value))}`),
  ]
}

function traceTexts({ context: { span, problems } }: View, style: Style): readonly string[] {
  const found = span === undefined ? [] : [spanText(span, style)]
  if (found.length + problems.length === 0) return ['none']
  return [...found, ...problems.map((problem) => style.paint('red', visible(problem)))]
}

function spanText({ traceId, spanId, sampled, random }: SeenSpan, { paint }: Style): string {
  return `${paint('cyan', traceId)}  span ${spanId}  ${sampled ? 'sampled' : 'not sampled'}${random ? ', random' : ''}`
}

function dataLines({ data, mode, event, contentType }: View, cut: number, style: Style): readonly string[] {
  const type = mode === 'structured' ? event?.datacontenttype : contentType
  const size = data === undefined ? 'none' : data instanceof Uint8Array ? `${data.byteLength} bytes` : ''
  const about = [shortened(type ?? ''), size].filter((part) => part !== '').join(', ')
  const shown = data === undefined ? { lines: [], cut: 0 } : showData(data, cut)
  const more = shown.cut === 0 ? [] : [style.paint('dim', `… ${shown.cut} more (--full)`)]
  return [
    ...style.rows('data', [about]),
    ...[...shown.lines, ...more].map((line) => `${INDENT}${INDENT}${line}`),
  ]
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
