import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  attributeText,
  type CloudEvent,
  contextAttributes,
  createEvent,
  isJsonType,
  type Message,
} from '@throughline/core'
import fc from 'fast-check'
import { carriers } from './support/carried.ts'

/** Whatever a chain of transports and modes does to an event, an event that is valid comes out of it as it went in. */

// Characters that bindings escape, split at or trim, beside all others that an attribute may have.
const awkward = [
  '%',
  '%41',
  '"',
  '\\',
  ' ',
  ',',
  ';',
  '=',
  '+',
  '€',
  '😀',
  'é',
  '\ufeff',
  '\u00a0',
  '{',
  'null',
]
// CloudEvents 1.0.2 §2.4 String
const DISALLOWED = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u
const anyText = fc
  .array(fc.oneof(fc.constantFrom(...awkward), fc.string({ unit: 'binary', maxLength: 12 })), {
    maxLength: 5,
  })
  .map((parts) => parts.join(''))
  .filter((text) => !DISALLOWED.test(text))
const text = anyText.filter((value) => value !== '')
const bytes = fc.uint8Array({ maxLength: 64 })

const uri = fc.oneof(
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.constant('urn:uuid:6e8bc430'),
)
const source = fc.oneof(
  uri,
  fc.constantFrom('/', '/sensors/%C3%BC?a=b&c#d', 'mailto:x@example.com', '/ünïcode€😀'),
)
const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`))
const time = fc
  .tuple(
    fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
    fc.oneof(fc.constant(''), digits(1), digits(9), digits(14)),
    fc.constantFrom('Z', 'z', '+00:00', '-00:00', '+05:45', '-23:59'),
  )
  .map(([date, fraction, zone]) => `${date.toISOString().slice(0, 19)}${fraction && `.${fraction}`}${zone}`)

const core = [
  'id',
  'source',
  'type',
  'specversion',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
]
const special = [
  'traceparent',
  'tracestate',
  'baggage',
  'partitionkey',
  'constructor',
  'tostring',
  'contenttype',
  '7',
]
const extensionName = fc
  .oneof(fc.constantFrom(...special), fc.stringMatching(/^[a-z0-9]{1,20}$/))
  .filter((name) => !core.includes(name))
const extensionValue = fc.oneof(anyText, fc.integer(), fc.boolean(), bytes)
const extensions = fc.dictionary(extensionName, extensionValue, { maxKeys: 5, noNullPrototype: true })

/** JSON values that JSON has one form for: no -0, and integers past 2^53 as bigint, which is what they are read as. */
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)))
  .filter((value) => !/\d{16}/.test(JSON.stringify(value)))
const exact = fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n })
const beyond = fc.oneof(
  exact,
  exact.map((value) => -value),
)
const jsonData = fc.oneof(
  json,
  beyond,
  fc.tuple(beyond, json).map(([big, rest]) => ({ big, rest })),
)

// Data and its type together: text and JSON are values, all else bytes, in every mode.
const content = fc.oneof(
  fc.constant({}),
  bytes.filter(({ length }) => length > 0).map((data) => ({ data })),
  jsonData.map((data) => ({ data })),
  fc.record({
    datacontenttype: fc.constantFrom(
      'application/json',
      'text/json; charset="utf-8"',
      'application/hal+json;x=1',
    ),
    data: jsonData,
  }),
  fc.record({
    datacontenttype: fc.constantFrom('text/plain', 'TEXT/HTML; charset=UTF-8', 'text/csv;charset=us-ascii'),
    data: fc.string({ unit: 'binary', maxLength: 40 }),
  }),
  fc.record({
    datacontenttype: fc.constantFrom(
      'application/octet-stream',
      'image/png; name="a;b"',
      'text/plain; charset=iso-8859-1',
      'application/cloudevents+avro',
    ),
    data: bytes,
  }),
  fc.record({
    datacontenttype: fc.constantFrom('application/json', 'text/plain', 'application/octet-stream'),
  }),
)

const events = fc
  .record(
    { id: text, source, type: text, subject: text, time, dataschema: uri, extensions, content },
    { requiredKeys: ['id', 'source', 'type', 'extensions', 'content'] },
  )
  .map(({ extensions, content, ...attributes }) => createEvent({ ...extensions, ...attributes, ...content }))

const transports = fc.constantFrom('http', 'kafka', 'mqtt', 'mqtt3', 'rabbitmq')
const step = fc.record({ transport: transports, mode: fc.constantFrom('binary', 'structured') })

/** What the specification lets one message make of an event. Everything else is equality. */
function expected(event: CloudEvent, transport: string, message: Message): CloudEvent {
  const structured =
    message.contentType?.startsWith('application/cloudevents+json;') && message.headers.length === 0
  const attributes: Record<string, unknown> = {}
  for (const [name, value] of contextAttributes(event)) {
    // Binary mode has text alone (§2.4), and JSON none for bytes.
    attributes[name] = structured && !(value instanceof Uint8Array) ? value : attributeText(value)
  }
  const { data, datacontenttype = structured ? undefined : impliedType(data) } = event
  if (datacontenttype !== undefined) attributes.datacontenttype = datacontenttype
  const read = data === undefined && !structured ? emptyBody(transport, datacontenttype) : data
  return createEvent({
    ...attributes,
    ...(read === undefined ? {} : { data: read }),
    source: event.source,
    type: event.type,
  })
}

/** A value without a type is JSON; a mode that has no other way to say so writes the type (§3.1 datacontenttype). */
function impliedType(data: unknown): string | undefined {
  return data === undefined || data instanceof Uint8Array ? undefined : 'application/json'
}

/** HTTP and MQTT cannot tell no body from an empty one, which is empty text or bytes where a type says that there is some. */
function emptyBody(transport: string, type: string | undefined): unknown {
  if (transport === 'kafka' || type === undefined || isJsonType(type)) return undefined
  return type.startsWith('text/') ? '' : new Uint8Array()
}

/** Bytes of one kind, whatever buffer they are a view of. */
function plain(event: CloudEvent): Record<string, unknown> {
  const { data } = event
  return data instanceof Uint8Array ? { ...event, data: Uint8Array.from(data) } : { ...event }
}

test('any valid event comes equal out of any chain of four transports and modes', () => {
  fc.assert(
    fc.property(events, fc.array(step, { minLength: 1, maxLength: 4 }), (event, chain) => {
      let current = event
      for (const { transport, mode } of chain) {
        const { binding, carry } = carriers[transport]
        const message = binding.encode(current, { mode })
        const arrived = carry(message)
        assert.equal(binding.isEvent(arrived), true)
        const decoded = binding.decode(arrived)
        assert.deepEqual(plain(decoded), plain(expected(current, transport, message)))
        current = decoded
      }
    }),
    { numRuns: Number(process.env.THROUGHLINE_CHAIN_RUNS ?? 10_000) },
  )
})
