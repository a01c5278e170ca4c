import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createEvent,
  decodeJsonEvent,
  encodeJsonEvent,
  type Header,
  InvalidEventError,
  type Message,
  UnsupportedContentTypeError,
  validateEvent,
} from '@throughline/core'
import { wrap } from '../packages/mqtt/src/envelope.ts'
import {
  carriers,
  receiveHttp,
  receiveKafka,
  receiveMqtt,
  receiveMqtt3,
  receiveRabbitmq,
  textHeaders,
} from './support/carried.ts'
import { createRandom, type Random } from './support/random.ts'

/**
 * Whatever bytes and headers come in, a decoder gives a valid event or a typed error. Inputs are messages of real events,
 * damaged at random; a failure names the seed with which THROUGHLINE_FUZZ_SEED brings it back.
 */

const RUNS = Number(process.env.THROUGHLINE_FUZZ_RUNS ?? 100_000)
const SEED = Number(process.env.THROUGHLINE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32))

/** A message on its way, before a transport has read it: all of it text or bytes that can be damaged. */
interface Wire {
  headers: [name: string, value: string][]
  contentType: string | undefined
  body: Uint8Array
}

const events = [
  createEvent({ id: '1', source: '/s', type: 't' }),
  createEvent({
    id: 'Zürich "€" 100 %',
    source: 'urn:a:b?c=%C3%BC#d',
    type: 'com.example.reading',
    subject: '\u{feff}😀\\',
    time: '2016-12-31T23:59:60.123456789+01:00',
    dataschema: 'https://example.com/s',
    datacontenttype: 'application/json; charset=utf-8',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    count: -5,
    flag: true,
    bin: Uint8Array.of(0, 255),
    data: { big: 2n ** 60n, list: [null, 'é', { deep: [[[]]] }] },
  }),
  createEvent({ id: '3', source: '/', type: 't', datacontenttype: 'text/plain', data: 'Grüße' }),
  createEvent({ id: '4', source: '/', type: 't', data: Uint8Array.of(0, 127, 128, 255) }),
]

const TOKENS = [
  ...[
    '',
    ' ',
    '\0',
    '\n',
    '"',
    '\\',
    '%',
    '%C3',
    '%FF%FE',
    '%ED%A0%80',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ';',
    '\ud800',
  ],
  ...[
    'null',
    'true',
    '1e999',
    '-',
    '123456789012345678901234567890',
    '"specversion"',
    '"data_base64":"*"',
    '"data":1,',
  ],
  ...[
    '"__proto__":{"a":1}',
    '\ufeff',
    '\u{1ffff}',
    '{"specversion":"1.0"}',
    '[[[[[[[[',
    '='.repeat(300),
    '\\"'.repeat(200),
  ],
]
const NAMES = [
  ...[
    'specversion',
    'id',
    'source',
    'type',
    'time',
    'subject',
    'data',
    'data_base64',
    'datacontenttype',
    'dataschema',
  ],
  ...['', '__proto__', 'constructor', 'toString', 'traceparent', 'content-type', 'A', 'ä', 'a-b'],
]
const TYPES = [
  ...['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json', 'text/plain'],
  ...[
    'application/cloudevents+avro',
    'APPLICATION/CLOUDEVENTS+JSON;charset=latin1',
    'text/plain;charset="',
    ';',
    '/',
  ],
]
const PREFIXES: Readonly<Record<string, string>> = {
  http: 'ce-',
  kafka: 'ce_',
  mqtt: '',
  rabbitmq: 'cloudEvents:',
}

function damage(wire: Wire, prefix: string, random: Random): void {
  const { headers } = wire
  const at = random.below(headers.length + 1)
  const header = headers[at]
  switch (random.below(9)) {
    case 0:
      headers.splice(at, 1)
      break
    case 1:
      headers.splice(at, 0, [prefix + random.pick(NAMES), random.pick(TOKENS)])
      break
    case 2:
      if (header !== undefined) headers.push([header[0].toUpperCase(), random.pick(TOKENS)])
      break
    case 3:
      if (header !== undefined) header[1] = damagedText(header[1], random)
      break
    case 4:
      if (header !== undefined) header[0] = damagedText(header[0], random)
      break
    case 5:
      wire.contentType = random.below(3) === 0 ? undefined : random.pick(TYPES)
      break
    case 6:
      wire.contentType = damagedText(wire.contentType ?? '', random)
      break
    default:
      wire.body = damagedBytes(wire.body, random)
  }
}

function damagedText(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  return text.slice(0, at) + random.pick(TOKENS) + text.slice(at + random.below(4))
}

function damagedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  const inserted =
    random.below(2) === 0
      ? Buffer.from(random.pick(TOKENS))
      : Uint8Array.of(random.below(256), random.below(256))
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + random.below(8))])
}

/** The text of headers as bytes, one byte a character, as a hostile sender would have them. */
const latin1 = (text: string) => Buffer.from(text, 'latin1')

/** A header of AMQP as it mostly is, or as another of its types. */
function nativeValue(text: string, random: Random): unknown {
  if (random.below(10) > 0) return text
  return random.pick<unknown>([
    latin1(text),
    Number(text),
    random.below(2) === 0,
    null,
    [text, 5],
    { deep: [text] },
    { scale: 2, value: 314 },
  ])
}

const receivers = {
  http: ({ headers, contentType, body }: Wire) =>
    receiveHttp(
      [...headers.flat(), ...(contentType === undefined ? [] : ['content-type', contentType])],
      body,
    ),
  kafka: ({ headers, contentType, body }: Wire, random: Random) => {
    const pairs = headers.map(
      ([name, value]) => [latin1(name), random.below(50) === 0 ? null : latin1(value)] as const,
    )
    const type = contentType === undefined ? [] : [[latin1('content-type'), latin1(contentType)] as const]
    return receiveKafka([...pairs, ...type], random.below(50) === 0 ? null : Buffer.from(body))
  },
  mqtt: ({ headers, contentType, body }: Wire) => receiveMqtt(headers, contentType, body),
  rabbitmq: ({ headers, contentType, body }: Wire, random: Random) =>
    receiveRabbitmq(
      Object.fromEntries(headers.map(([name, value]) => [name, nativeValue(value, random)])),
      contentType,
      body,
    ),
} as const

/** Runs a decoder on `RUNS` inputs. Each has a random sequence of its own, so that one can be repeated without the others. */
function fuzz(decode: (random: Random) => unknown): void {
  let accepted = 0
  for (let run = 0; run < RUNS; run++) {
    const seed = (SEED + run) >>> 0
    try {
      const event = decode(createRandom(seed))
      assert.ok(typeof event === 'object' && event !== null)
      validateEvent({ ...event })
      accepted++
    } catch (error) {
      const typed = error instanceof InvalidEventError || error instanceof UnsupportedContentTypeError
      if (!typed) throw new Error(`THROUGHLINE_FUZZ_RUNS=1 THROUGHLINE_FUZZ_SEED=${seed}`, { cause: error })
      assert.ok(
        error.message.length < 1000,
        `${error.message.length} characters of message with seed ${seed}`,
      )
    }
  }
  // Else the damage is such that nothing beyond the first check was ever reached.
  if (RUNS >= 1000)
    assert.ok(accepted > RUNS / 100 && accepted < RUNS, `${accepted} of ${RUNS} were accepted`)
}

for (const transport of ['http', 'kafka', 'mqtt', 'rabbitmq'] as const) {
  const { binding } = carriers[transport]
  const wires = events.flatMap((event) =>
    (['binary', 'structured'] as const).map((mode): Wire => {
      const { headers, contentType, body } = binding.encode(event, { mode })
      return { headers: textHeaders(headers), contentType, body: body ?? new Uint8Array() }
    }),
  )
  test(`any damaged message over ${transport} is an event or a typed error`, () => {
    fuzz((random) => {
      const { headers, contentType, body } = random.pick(wires)
      const wire: Wire = { headers: headers.map(([name, value]) => [name, value]), contentType, body }
      for (let left = 1 + random.below(4); left > 0; left--) damage(wire, PREFIXES[transport] ?? '', random)
      const message = receivers[transport](wire, random)
      binding.isEvent(message)
      return binding.decode(message)
    })
  })
}

test('any damaged envelope of MQTT 3.1.1 is an event or a typed error', () => {
  const { binding } = carriers.mqtt3
  const headers: Header[] = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['twice', 'a'],
    ['twice', 'b'],
  ]
  const messages: Message[] = [
    ...events.map((event) => ({ ...binding.encode(event, { mode: 'structured' }), headers })),
    // Envelopes of data that is an event.
    ...events.map((event) => ({ body: encodeJsonEvent(event), headers })),
    { body: Uint8Array.of(0, 255), headers },
  ]
  const payloads = messages.map((message) => wrap(message).body ?? new Uint8Array())
  fuzz((random) => {
    let bytes = random.pick(payloads)
    for (let left = 1 + random.below(4); left > 0; left--) bytes = damagedBytes(bytes, random)
    const message = receiveMqtt3(bytes)
    binding.isEvent(message)
    return binding.decode(message)
  })
})

test('any damaged JSON is an event or a typed error', () => {
  const texts = events.map(
    (event) => carriers.kafka.binding.encode(event, { mode: 'structured' }).body ?? new Uint8Array(),
  )
  fuzz((random) => {
    let bytes = random.pick(texts)
    for (let left = 1 + random.below(4); left > 0; left--) bytes = damagedBytes(bytes, random)
    return decodeJsonEvent(bytes)
  })
})
