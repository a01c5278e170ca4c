import { type Binding, type BindingRules, type CloudEvent, createBinding } from '@throughline/core'
import { MAX_STRING_BYTES } from './text.ts'

/** Names that are always the hop's context, never attributes. */
export const HOP_CONTEXT = ['traceparent', 'tracestate', 'baggage'] as const
const ATTRIBUTE_NAME = /^[a-z0-9]+$/

const rules: BindingRules = {
  specification: 'CloudEvents MQTT binding 1.0.2 §3.1',
  headerName: (attribute) => attribute,
  attributeName: (header) => (ATTRIBUTE_NAME.test(header) && !isHopContext(header) ? header : null),
  encodeValue: (text) => text,
  decodeValue: (text) => text,
  // An MQTT payload may be empty, never absent.
  absentBody: new Uint8Array(0),
  mustBeStructured: (event: CloudEvent) =>
    HOP_CONTEXT.some((name) => event[name] !== undefined) || !fitsUserProperties(event),
}

/**
 * CloudEvents MQTT protocol binding 1.0.2, MQTT 5: binary mode has the bare attribute names as user properties and
 * `datacontenttype` as the Content Type property; structured mode is `application/cloudevents+json`.
 *
 * A bare `traceparent`, `tracestate` or `baggage` is always the hop's context: what the sending span wrote. An event
 * that has an attribute of such a name would be indistinguishable, so it is always structured. So is one with an
 * attribute of more than 65,535 bytes, which no user property holds. What characters MQTT forbids, CloudEvents does too.
 */
export const mqttBinding: Binding = createBinding(rules)

/** Reads the same and writes structured mode whatever the mode says: MQTT 3.1.1 has no properties, and an envelope holds whole events. */
export const structuredBinding: Binding = createBinding({ ...rules, mustBeStructured: () => true })

/** What a connection's events are laid out by. */
export function bindingOf({
  protocolVersion,
  envelope,
}: {
  protocolVersion: 4 | 5
  envelope: boolean
}): Binding {
  return protocolVersion === 4 || envelope ? structuredBinding : mqttBinding
}

function fitsUserProperties(event: CloudEvent): boolean {
  for (const name in event) {
    const value = event[name]
    if (name === 'data') continue
    if (typeof value === 'string' && Buffer.byteLength(value) > MAX_STRING_BYTES) return false
    // In base64 it takes four bytes for three.
    if (value instanceof Uint8Array && Math.ceil(value.byteLength / 3) * 4 > MAX_STRING_BYTES) return false
  }
  return true
}

export function isHopContext(name: string): boolean {
  return HOP_CONTEXT.some((own) => own === name)
}
