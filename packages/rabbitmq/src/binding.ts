import {
  attributeText,
  type Binding,
  type CloudEvent,
  contextAttributes,
  createBinding,
} from '@throughline/core'

const PREFIX = 'cloudEvents:'
const READ_PREFIX = /^cloudevents[:_](.+)$/
/** A short string's bytes: header names and the content type. */
const MAX_SHORT_BYTES = 255
/** Of all attributes together; the headers of a message have to fit into one frame, beside the application's own. */
const MAX_ATTRIBUTES_BYTES = 65_536

/**
 * CloudEvents AMQP protocol binding 1.0.2, over AMQP 0-9-1: attributes are headers `cloudEvents:<name>` (§3.1.3.1),
 * read with `_` as well, in any case; `content_type` says the mode; no data is an empty body. Values are written as
 * strings; AMQP's own integers, booleans and timestamps are read. An event with an attribute that no header holds
 * is structured.
 */
export const rabbitmqBinding: Binding = createBinding({
  specification: 'CloudEvents AMQP binding 1.0.2 §3.1',
  headerName: (attribute) => PREFIX + attribute,
  attributeName: (header) => READ_PREFIX.exec(header.toLowerCase())?.[1] ?? null,
  encodeValue: (text) => text,
  decodeValue: (text) => text,
  absentBody: new Uint8Array(0),
  mustBeStructured: (event: CloudEvent) => !fitsHeaders(event),
})

function fitsHeaders(event: CloudEvent): boolean {
  const { datacontenttype } = event
  if (typeof datacontenttype === 'string' && Buffer.byteLength(datacontenttype) > MAX_SHORT_BYTES)
    return false
  let bytes = 0
  for (const [name, value] of contextAttributes(event)) {
    if (PREFIX.length + name.length > MAX_SHORT_BYTES) return false
    bytes += Buffer.byteLength(attributeText(value))
  }
  return bytes <= MAX_ATTRIBUTES_BYTES
}
