import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Delivery, Header, Message } from '@throughline/core'
import { kafkaTransport } from '@throughline/kafka'
import { filterOf } from '../../src/tail/filter.ts'
import { viewJson } from '../../src/tail/json.ts'
import { viewText } from '../../src/tail/text.ts'
import { viewOf } from '../../src/tail/view.ts'

const transport = kafkaTransport({ brokers: 'localhost:9092' })
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const nowMs = Date.parse('2026-07-28T12:00:00.100Z')
const ce: readonly Header[] = [
  ['ce_specversion', '1.0'],
  ['ce_id', '4711'],
  ['ce_source', '/orders'],
  ['ce_type', 'com.example.order.created'],
]

function view(message: Partial<Message>) {
  const delivery: Delivery = {
    message: { body: null, headers: [], ...message },
    position: { destination: 'orders', partition: 3, offset: 1234n, timestampMs: nowMs - 50 },
    attempt: 1,
  }
  return viewOf(delivery, transport, nowMs)
}

const text = (message: Partial<Message>, cut = 2000) =>
  viewText(view(message), { cut, colours: false }).split('\n')

describe('a message', () => {
  test('has everything in it taken apart', () => {
    const lines = text({
      body: Buffer.from('{"sku":"A-1"}'),
      contentType: 'application/json',
      key: 'k1',
      headers: [
        ...ce,
        ['ce_subject', 'A 1'],
        ['ce_traceparent', `00-${traceId}-00f067aa0ba902b1-00`],
        ['traceparent', `00-${traceId}-${spanId}-03`],
        ['tracestate', 'a=1'],
        ['tracestate', 'b=2'],
        ['baggage', 'user=a%20b'],
        ['throughline-sent-at', String((nowMs - 41) * 1000)],
        ['x-shop', '1'],
        ['x-bytes', Uint8Array.from([0xff, 0])],
      ],
    })
    assert.deepEqual(lines, [
      '2026-07-28T12:00:00.050Z  orders[3]@1234  key k1  queued 41.0 ms',
      '  event     com.example.order.created  binary',
      '            id 4711',
      '            source /orders',
      '            subject A 1',
      `            traceparent 00-${traceId}-00f067aa0ba902b1-00`,
      `  trace     ${traceId}  span ${spanId}  sampled, random`,
      '  state     a=1,b=2',
      '  baggage   user=a b',
      `  origin    ${traceId}  span 00f067aa0ba902b1  not sampled`,
      '  headers   x-shop: 1',
      '            x-bytes: 0xff00',
      '  data      application/json, 13 bytes',
      '    {',
      '      "sku": "A-1"',
      '    }',
      '',
      '',
    ])
  })

  test('that is a structured event shows its data, not its envelope', () => {
    const event = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":12345678901234567890}}'
    const lines = text({ body: Buffer.from(event), contentType: 'application/cloudevents+json' })
    assert.deepEqual(lines.slice(1), [
      '  event     t  structured',
      '            id 1',
      '            source /s',
      '  trace     none',
      '  data      ',
      '    {',
      '      "n": 12345678901234567890',
      '    }',
      '',
      '',
    ])
  })

  test('that is no event, or no valid one, is shown all the same', () => {
    assert.deepEqual(text({ body: Buffer.from('hi') }).slice(1), [
      '  event     none',
      '  trace     none',
      '  data      2 bytes',
      '    hi',
      '',
      '',
    ])
    const invalid = text({ body: Buffer.from('hi'), headers: ce.slice(0, 2) })
    assert.match(
      invalid[1] ?? '',
      /event {5}not valid: source: is required and missing \(CloudEvents 1\.0\.2 §3\.1 source\)/,
    )
    assert.ok(invalid.includes('    hi'))
    assert.ok(invalid.includes('  headers   ce_specversion: 1.0'))
  })

  test('without a body says so', () => {
    assert.ok(text({ headers: ce }).includes('  data      none'))
  })

  test('has what is wrong with its context in words', () => {
    // Between the event, which is none, and the data.
    const problems = (...headers: Header[]) => text({ headers }).slice(2, -3)
    assert.match(problems(['traceparent', `00-${traceId.toUpperCase()}-${spanId}-01`])[0] ?? '', /upper-case/)
    const twice: Header = ['traceparent', `00-${traceId}-${spanId}-01`]
    assert.deepEqual(problems(twice, twice), [
      '  trace     the message has 2 traceparent headers, which makes all of them invalid',
    ])
    const state = problems(twice, ['tracestate', 'no'])
    assert.match(state[0] ?? '', new RegExp(`trace {5}${traceId}`))
    assert.match(state[1] ?? '', /the tracestate is not valid: "no" is no key=value/)
    assert.match(problems(['baggage', 'x'])[0] ?? '', /the baggage is not valid/)
  })

  test('brings nothing to a terminal that it would obey, wherever it stands', () => {
    const bad = '\x1b]0;x\x07\u202e\x9b'
    const message: Partial<Message> = {
      body: Buffer.from(`a${bad}`),
      key: bad,
      contentType: `text/${bad}`,
      headers: [...ce, [`h${bad}`, bad], ['traceparent', bad], ['tracestate', bad], ['baggage', bad]],
      properties: { correlationId: bad },
    }
    for (const shown of [
      text(message).join('\n'),
      text({ ...message, headers: [...ce.slice(0, 3), ['ce_type', bad]] }).join('\n'),
      viewJson(view(message)),
    ]) {
      assert.doesNotMatch(shown, /[[\p{Cc}\u202e]--\n]/v)
    }
  })

  test('is cut where it is long, and whole where that is asked for', () => {
    const body = Buffer.from('x'.repeat(100))
    assert.deepEqual(text({ body }, 10).slice(-5), [
      '  data      100 bytes',
      `    ${'x'.repeat(10)}`,
      '    … 90 more (--full)',
      '',
      '',
    ])
    assert.ok(text({ body }, Number.POSITIVE_INFINITY).includes(`    ${'x'.repeat(100)}`))
  })

  test('sent by a clock that is ahead says so, and one of no calendar’s time is no error', () => {
    const ahead = text({ headers: [['throughline-sent-at', String((nowMs + 5) * 1000)]] })
    assert.match(ahead[0] ?? '', /sent 5\.0 ms from now: the clocks differ/)
    const late = viewText({ ...view({}), timeMs: 9e15 }, { cut: 1, colours: false })
    assert.match(late, /^time 9000000000000000 /)
  })

  test('has colours only where they are asked for', () => {
    const colours = viewText(view({ headers: ce }), { cut: 10, colours: true })
    assert.ok(colours.includes('\x1b[1m'), colours)
  })
})

describe('as JSON', () => {
  test('it is one line with all of it', () => {
    const json: unknown = JSON.parse(
      viewJson(
        view({
          body: Buffer.from('{"n":1}'),
          contentType: 'application/json',
          key: Uint8Array.from([0xff]),
          headers: [...ce, ['traceparent', `00-${traceId}-${spanId}-01`], ['baggage', 'u=1'], ['x', 'y']],
        }),
      ),
    )
    assert.deepEqual(json, {
      time: '2026-07-28T12:00:00.050Z',
      place: 'orders[3]@1234',
      destination: 'orders',
      partition: 3,
      offset: 1234,
      key: { base64: '/w==' },
      trace: { traceId, spanId, sampled: true, random: false },
      baggage: { u: '1' },
      mode: 'binary',
      event: {
        specversion: '1.0',
        id: '4711',
        source: '/orders',
        type: 'com.example.order.created',
        datacontenttype: 'application/json',
      },
      headers: [['x', 'y']],
      contentType: 'application/json',
      attributes: { 'messaging.destination.partition.id': '3', 'messaging.kafka.offset': 1234 },
      data: { n: 1 },
    })
  })

  test('data that is not JSON is text, and bytes are base64', () => {
    const data = (body: Uint8Array, contentType?: string) => {
      const parsed: Record<string, unknown> = JSON.parse(
        viewJson(view({ body, ...(contentType === undefined ? {} : { contentType }) })),
      )
      return [parsed.data, parsed.data_base64]
    }
    assert.deepEqual(data(Buffer.from('hi')), ['hi', undefined])
    assert.deepEqual(data(Buffer.from('1'), 'text/plain'), ['1', undefined])
    assert.deepEqual(data(Uint8Array.from([0xff])), [undefined, '/w=='])
  })
})

test('a filter goes by attributes, key, trace and destination, with * for any text', () => {
  const message = view({ key: 'k1', headers: [...ce, ['traceparent', `00-${traceId}-${spanId}-01`]] })
  const matches = (...filters: string[]) => filterOf(filters)(message)
  assert.ok(matches())
  assert.ok(matches('type=com.example.order.created', 'id=4711', 'key=k*', `traceid=${traceId}`))
  assert.ok(matches('type=*.order.*', 'destination=orders'))
  assert.ok(!matches('type=com.example.order'))
  assert.ok(!matches('type=com.example.order.created', 'id=4712'))
  assert.ok(!matches('subject=*'))
  assert.ok(!matches('type=comXexample.*'))
  assert.throws(() => filterOf(['4711']), { code: 'TL_USAGE', exitCode: 2 })
})

test('the parts of a pattern follow each other, and a long text costs no more than it is long', () => {
  const matches = (pattern: string, key: string) => filterOf([`key=${pattern}`])(view({ key }))
  for (const pattern of ['*', '**', 'ab', 'a*', '*b', 'a*b', 'a*b*', '*a*b*'])
    assert.ok(matches(pattern, 'ab'), pattern)
  for (const pattern of ['', 'a', 'ab*b', 'a*ab', '*b*a*', 'b*', '*a', 'A*'])
    assert.ok(!matches(pattern, 'ab'), pattern)
  assert.ok(!matches('*a*a*a*a*a*b', 'a'.repeat(1_000_000)))
})
