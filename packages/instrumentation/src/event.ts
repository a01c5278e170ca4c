import { type CloudEvent, type Header, textOf } from '@throughline/core'

const REQUIRED = ['id', 'source', 'type', 'specversion'] as const

/** How a transport writes an attribute's header: `ce_`, `cloudEvents:` or `cloudEvents_`, or nothing before its name. */
export interface EventHeaders {
  /** In lower case. */
  readonly prefixes: readonly string[]
}

/**
 * The event that a message is, as far as spans tell of it: the CloudEvents attributes of its headers (binary mode), or of
 * the JSON object in its body (structured). Undefined for any other message. Nothing is validated: an instrumentation
 * tells what is there.
 */
export function eventOf(
  headers: readonly Header[],
  contentType: string | undefined,
  body: Uint8Array | null,
  { prefixes }: EventHeaders,
): CloudEvent | undefined {
  if (contentType?.startsWith('application/cloudevents+json')) return structured(body)
  let attributes: Record<string, string> | undefined
  for (const [name, value] of headers) {
    const prefix = prefixes.find((each) => name.length > each.length && name.toLowerCase().startsWith(each))
    if (prefix === undefined) continue
    attributes ??= {}
    attributes[name.slice(prefix.length).toLowerCase()] = textOf(value)
  }
  return attributes === undefined ? undefined : complete(attributes)
}

/** Larger ones are not parsed for a span's sake. */
const MAX_STRUCTURED_BYTES = 256 * 1024
const utf8 = new TextDecoder()

function structured(body: Uint8Array | null): CloudEvent | undefined {
  if (body === null || body.byteLength > MAX_STRUCTURED_BYTES) return undefined
  try {
    const value: unknown = JSON.parse(utf8.decode(body))
    return typeof value === 'object' && value !== null ? complete({ ...value }) : undefined
  } catch {
    return undefined
  }
}

function complete(attributes: Record<string, unknown>): CloudEvent | undefined {
  const [id, source, type, specversion] = REQUIRED.map((name) => attributes[name])
  if (typeof id !== 'string' || typeof source !== 'string' || typeof type !== 'string') return undefined
  if (specversion !== '1.0') return undefined
  const { subject, traceparent, time } = attributes
  return {
    specversion,
    id,
    source,
    type,
    ...(typeof subject === 'string' ? { subject } : {}),
    ...(typeof time === 'string' ? { time } : {}),
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
  }
}
