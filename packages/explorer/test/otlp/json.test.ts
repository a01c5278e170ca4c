import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OtlpDecodeError } from '../../src/errors.ts'
import { decodeOrigin, decodeRequest, decodeSpan, encodeSpan, requestType } from '../../src/otlp/codec.ts'
import { decodeJsonRequest } from '../../src/otlp/json.ts'
import { intakeOf } from '../../src/otlp/request.ts'
import { attributesOf } from '../../src/otlp/value.ts'
import { needsShared, sharedFile } from '../shared-data.ts'

const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '2000000000000010' }
const request = (span: Record<string, unknown>) => ({
  resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, ...span }] }] }],
})
const read = (body: unknown) =>
  intakeOf(decodeJsonRequest(Buffer.from(JSON.stringify(body)))).records.map(({ span }) => span)

test('64-bit integers are text or numbers, enums numbers or names, ids hex in either case', () => {
  const times = [
    ['1795251847000000001', '1795251847000000002'],
    [1_000, 2_000],
  ]
  for (const [startTimeUnixNano, endTimeUnixNano] of times) {
    for (const kind of [5, 'SPAN_KIND_CONSUMER']) {
      const [span] = read(
        request({ startTimeUnixNano, endTimeUnixNano, kind, traceId: ids.traceId.toUpperCase() }),
      )
      assert.equal(span?.startUnixNanos, BigInt(startTimeUnixNano ?? 0))
      assert.equal(span?.kind, 'CONSUMER')
      assert.equal(span?.traceId, ids.traceId)
    }
  }
})

test('all kinds of attribute values keep what they are', () => {
  const values = {
    text: { stringValue: 'ä' },
    flag: { boolValue: false },
    int: { intValue: '-9007199254740993' },
    double: { doubleValue: 12 },
    nan: { doubleValue: 'NaN' },
    bytes: { bytesValue: 'AP8=' },
    list: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1 }] } },
    map: { kvlistValue: { values: [{ key: '__proto__', value: { stringValue: 'x' } }] } },
    nothing: {},
  }
  const attributes = Object.entries(values).map(([key, value]) => ({ key, value }))
  const [span] = read(request({ attributes }))
  assert.ok(span)
  assert.deepEqual(span.attributes.get('double'), { type: 'double', value: 12 })
  assert.deepEqual(attributesOf(span.attributes), {
    text: 'ä',
    flag: false,
    int: '-9007199254740993',
    double: 12,
    nan: 'NaN',
    bytes: 'AP8=',
    list: ['a', 1],
    map: JSON.parse('{"__proto__":"x"}'),
    nothing: null,
  })
})

test('unknown names are ignored, null counts as absent', () => {
  const [span] = read({ ...request({ later: { field: 1 }, name: null, links: null }), more: [] })
  assert.equal(span?.name, '')
})

for (const [what, body, message] of [
  ['a list as body', [], /body: expected an object, got \[\]/],
  ['an object as list', { resourceSpans: {} }, /resourceSpans: expected a list/],
  ['a number as name', request({ name: 7 }), /spans\[0\]\.name: expected a string, got 7/],
  [
    'an unknown enum name',
    request({ kind: 'SPAN_KIND_OTHER' }),
    /kind: expected one of SPAN_KIND_UNSPECIFIED/,
  ],
  ['a name of every object', request({ kind: 'constructor' }), /kind: expected one of/],
  [
    'a time beyond 64 bits',
    request({ startTimeUnixNano: '18446744073709551616' }),
    /expected a 64-bit integer/,
  ],
  ['a negative time', request({ startTimeUnixNano: '-1' }), /expected a 64-bit integer/],
  ['a fraction as count', request({ droppedLinksCount: 1.5 }), /expected an unsigned 32-bit integer/],
  ['half a hex digit', request({ spanId: 'abc' }), /spanId: expected hex digits/],
] as const) {
  test(`${what} is refused by place and expectation`, () => {
    assert.throws(
      () => decodeJsonRequest(Buffer.from(JSON.stringify(body))),
      (error) =>
        error instanceof OtlpDecodeError && error.code === 'TL_BAD_OTLP' && message.test(error.message),
    )
  })
}

test('values nested without end are refused, not followed', () => {
  let value: Record<string, unknown> = { stringValue: 'x' }
  for (let i = 0; i < 500; i++) value = { arrayValue: { values: [value] } }
  assert.throws(() => read(request({ attributes: [{ key: 'deep', value }] })), /nested deeper than 100/)
})

test('JSON and protobuf of one request are the same spans', needsShared, () => {
  const fromJson = decodeJsonRequest(sharedFile('golden/otlp.json'))
  const fromBinary = decodeRequest(requestType.encode({ ...fromJson }).finish())
  const spansOf = (request: typeof fromJson) => intakeOf(request).records.map(({ span }) => span)
  assert.deepEqual(spansOf(fromBinary), spansOf(fromJson))
})

test('a span that is kept is kept whole, also fields of a later OTLP', needsShared, () => {
  const [record] = intakeOf(decodeJsonRequest(sharedFile('golden/otlp.json'))).records
  assert.ok(record)
  // Field 127, varint 5: no version of OTLP has it yet.
  const later = Buffer.concat([record.data, Buffer.from([0xf8, 0x07, 0x05])])
  assert.deepEqual(Buffer.from(encodeSpan(decodeSpan(later))), later)
  const origin = decodeOrigin(record.origin)
  assert.equal(origin.scopeSpans[0]?.scope?.name, 'throughline')
  assert.equal(origin.resource?.attributes.length, 4)
})
