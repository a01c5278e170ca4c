import { isContextHeader, OWN_HEADERS } from '@throughline/core'
import { contextHeaders } from '../context.ts'
import { defined } from '../defined.ts'
import type { Destination, OutletOptions } from '../destination/destination.ts'
import { CommandError, exitCodes } from '../failure.ts'
import type { Template } from './messages.ts'
import type { SendOptions } from './options.ts'

/** What all messages have in common. Throws CommandError for options that do not go together. */
export function templateOf(options: SendOptions): Template {
  const {
    raw = false,
    mode = 'binary',
    key,
    contentType,
    header = [],
    traceparent,
    tracestate,
    baggage,
  } = options
  const { id, source, type, subject, time, attribute = {} } = options
  const attributes = defined({
    ...checkedAttributes(attribute),
    id,
    source,
    type,
    subject,
    time,
    datacontenttype: contentType,
  })
  if (id !== undefined && options.file !== undefined)
    throw usage('--id is that of one event: --file has many')
  if (raw) {
    const named = Object.keys(attributes).find((name) => name !== 'datacontenttype')
    if (named !== undefined)
      throw usage(`--raw sends no event, which alone has a ${named}: leave out one of the two`)
    if (options.mode !== undefined)
      throw usage('--raw sends no event, which alone has a mode: leave out --mode')
  } else if (type === undefined && options.file === undefined) {
    throw usage('an event needs --type; --raw sends a message that is no event')
  }
  return {
    raw,
    mode,
    attributes,
    headers: header.map(checkedHeader),
    context: contextHeaders(defined({ traceparent, tracestate, baggage })),
    ...defined({ key, contentType }),
  }
}

/** Throws CommandError for an option that the destination has no use for: it would be left out without a word. */
export function outletOptions(options: SendOptions, { takes, text }: Destination): OutletOptions {
  for (const name of ['key', 'partition', 'qos', 'retain'] as const) {
    if (options[name] !== undefined && !takes.has(name)) throw usage(`--${name} means nothing to ${text}`)
  }
  const { timeout: timeoutMs, partition, qos, retain } = options
  return {
    timeoutMs,
    ...defined({ partition, retain }),
    ...(qos === undefined ? {} : { qos: qosOf[qos] }),
  }
}

const qosOf = { 0: 0, 1: 1, 2: 2 } as const

/** Attributes that have an option of their own, which says it better. */
const optionOf: Readonly<Record<string, string>> = {
  id: '--id',
  source: '--source',
  type: '--type',
  subject: '--subject',
  time: '--time',
  data: '--data',
  data_base64: '--data',
  datacontenttype: '--content-type',
}

function checkedAttributes(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const name of Object.keys(attributes)) {
    const option = Object.hasOwn(optionOf, name) ? optionOf[name] : undefined
    if (option !== undefined) throw usage(`the attribute ${name} is given by ${option}`)
  }
  return attributes
}

function checkedHeader(
  header: readonly [name: string, value: string],
): readonly [name: string, value: string] {
  const name = header[0].toLowerCase()
  if (isContextHeader(name) || name === 'content-type')
    throw usage(`the header ${name} is given by --${name}`)
  if (OWN_HEADERS.has(name)) throw usage(`the header ${name} is written by Throughline itself`)
  return header
}

/** Options that cannot be meant so. */
export function usage(message: string): CommandError {
  return new CommandError('TL_USAGE', message, exitCodes.usage)
}
