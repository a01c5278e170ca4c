import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import {
  createBroker,
  type EventInput,
  headerText,
  type Message,
  PermanentError,
  UnavailableError,
} from '@throughline/core'
import { eventually, withSpans } from '@throughline/testkit'
import { type Memory, memoryBridge } from './memory.ts'

const ROUTE = `  copy:
    from: { connection: in, topics: a, group: g }
    to: { connection: out, topic: "t-{{ event.subject }}" }
    retry: { attempts: 2, backoff: 1ms..2ms }
`

async function publish(memory: Memory, ...events: Partial<EventInput>[]): Promise<void> {
  await using broker = createBroker(memory)
  await using publisher = broker.publisher({ destination: 'a' })
  for (const event of events) await publisher.publish({ type: 't', source: '/s', subject: 's', ...event })
}

/** Sends a message that may be anything. */
async function send(memory: Memory, message: Message): Promise<void> {
  const [result] = await memory.publisher({ destination: 'a' }).publish([message])
  assert.ok(result?.ok)
}

const ids = (messages: readonly Message[]) => messages.map(({ headers }) => headerText(headers, 'ce_id'))

test('events arrive with all attributes and the bytes of their data, keyed as before', async () => {
  const { bridge, in: source, out } = await memoryBridge(ROUTE)
  const body = Buffer.from('{ "n": 1.00, "big": 9007199254740993 }')
  const headers: [string, string][] = [
    ['ce_specversion', '1.0'],
    ['ce_id', '1'],
    ['ce_source', '/s'],
    ['ce_type', 't'],
    ['ce_subject', 's'],
    ['ce_time', '2026-01-01T00:00:00.000000001+02:00'],
    ['ce_traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['x-app', 'kept'],
    ['authorization', 'secret'],
  ]
  await send(source, { body, headers, contentType: 'application/json', key: 'k1' })
  const [message] = await eventually(() => {
    assert.equal(source.unsettled('g'), 0)
    return out.messages('t-s')
  })
  await bridge.close()
  assert.deepEqual(Buffer.from(message?.body ?? []), body)
  assert.equal(message?.contentType, 'application/json')
  assert.equal(message?.key, 'k1')
  const written = new Map(message?.headers.map(([name, value]) => [name, String(value)]))
  for (const [name, value] of headers) {
    if (name === 'authorization') assert.ok(!written.has(name))
    else assert.equal(written.get(name), value)
  }
})

test('nothing is accepted at the source before the target has confirmed it', async () => {
  const { bridge, in: source, out } = await memoryBridge(ROUTE)
  out.stall()
  await publish(source, { id: '1' }, { id: '2' })
  await eventually(() => assert.equal(out.messages('t-s').length, 2))
  assert.equal(source.unsettled('g'), 2)
  out.restore()
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  await bridge.close()
})

test('a target that is away spends no attempt, is said once, and all arrives when it is back', async () => {
  const { bridge, log, in: source, out } = await memoryBridge(ROUTE)
  await eventually(() => assert.ok(bridge.routes()[0]?.ready))
  out.refuse()
  await publish(source, ...Array.from({ length: 20 }, (_, index) => ({ id: String(index) })))
  await eventually(() => assert.ok((bridge.routes()[0]?.retried ?? 0) > 100))
  assert.equal(bridge.routes()[0]?.ready, false)
  assert.equal(bridge.routes()[0]?.target, 'away')
  out.restore()
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  assert.deepEqual(new Set(ids(out.messages('t-s'))).size, 20)
  assert.ok(bridge.routes()[0]?.ready)
  const said = log.lines.filter((line) => line.includes('target memory out'))
  assert.equal(said.length, 2, said.join('\n'))
  assert.match(said[0] ?? '', /^warn route copy: target memory out: .*; trying again until it returns$/)
  assert.match(said[1] ?? '', /^info route copy: target memory out: is back after/)
  await bridge.close()
})

test('a topic that the configuration names and the cluster lacks is waited for; one that an event names is that event’s fault', async () => {
  const missing = new PermanentError('has no topic', { code: 'TL_KAFKA_TOPIC_UNKNOWN' })
  for (const [topic, forwarded, deadLettered] of [
    ['fixed', 1, 0],
    ['"t-{{ event.subject }}"', 0, 1],
  ] as const) {
    const {
      bridge,
      in: source,
      out,
    } = await memoryBridge(`  copy:
    from: { connection: in, topics: a, group: g }
    to: { connection: out, topic: ${topic} }
    retry: { attempts: 1, backoff: 1ms..2ms }
    deadLetter: { connection: in, topic: dead }
`)
    out.failNext(3, missing)
    await publish(source, { id: '1' })
    await eventually(() => assert.equal(source.unsettled('g'), 0))
    const [status] = bridge.routes()
    assert.deepEqual([status?.forwarded, status?.deadLettered], [forwarded, deadLettered])
    await bridge.close()
  }
})

test('a target whose client id another process took ends the bridge with that sentence, and nothing is given up', async () => {
  const { bridge, in: source, out } = await memoryBridge(ROUTE)
  await eventually(() => assert.ok(bridge.routes()[0]?.ready))
  out.failNext(
    1,
    new UnavailableError('another client has taken the session', { code: 'TL_SESSION_TAKEN_OVER' }),
  )
  await publish(source, { id: '1' })
  await assert.rejects(bridge.closed, /another client has taken the session/)
  assert.equal(source.unsettled('g'), 1)
})

test('a source that is away at the start and later is tried until it returns', async () => {
  const { bridge, log, in: source, out } = await memoryBridge(ROUTE)
  await publish(source, { id: '1' })
  await eventually(() => assert.deepEqual(ids(out.messages('t-s')), ['1']))
  source.refuse()
  await eventually(() => assert.equal(bridge.routes()[0]?.source, 'away'))
  source.restore()
  await publish(source, { id: '2' })
  await eventually(() => assert.deepEqual(ids(out.messages('t-s')).at(-1), '2'))
  await eventually(() => assert.ok(bridge.routes()[0]?.ready))
  assert.ok(log.lines.some((line) => /source memory in: is back/.test(line)))
  await bridge.close()
})

test('an event that can never go through stops its route at that position, and only its route', async () => {
  const {
    bridge,
    log,
    in: source,
    out,
  } = await memoryBridge(
    ROUTE,
    '  other: { from: { connection: in, topics: a, group: h }, to: { connection: out, topic: other } }\nadmin: { listen: "127.0.0.1:0" }\n',
  )
  await publish(source, { id: '1' }, { id: '2', subject: 'no topic' }, { id: '3' })
  await eventually(() => assert.equal(bridge.routes()[0]?.state, 'stopped'))
  await eventually(() => assert.deepEqual(ids(out.messages('other')), ['1', '2', '3']))
  const [copy, other] = bridge.routes()
  assert.match(
    copy?.reason ?? '',
    /^stopped at a@1: event\.subject|stopped at a@1: t-\{\{ event\.subject \}\} became "t-no topic"/,
  )
  assert.equal(copy?.ready, false)
  assert.equal(other?.state, 'running')
  assert.ok(source.unsettled('g') >= 1, 'what it stopped at is kept')
  assert.ok(
    log.lines.some((line) => line.startsWith('error route copy stopped at a@1: ')),
    log.lines.join('\n'),
  )
  await bridge.close()
})

test('when every route has stopped and no admin server can say so, the bridge ends with an error', async () => {
  const { bridge, in: source } = await memoryBridge(ROUTE)
  await publish(source, { subject: 'no topic' })
  await assert.rejects(bridge.closed, {
    code: 'TL_ALL_STOPPED',
    message: 'no route runs any more: copy stopped',
  })
})

test('onExhausted: drop says what it drops and goes on', async () => {
  const { bridge, log, in: source, out } = await memoryBridge(`${ROUTE}    onExhausted: drop\n`)
  await publish(source, { id: '1', subject: 'no topic' }, { id: '2' })
  await eventually(() => assert.deepEqual(ids(out.messages('t-s')), ['2']))
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  assert.equal(bridge.routes()[0]?.dropped, 1)
  assert.ok(
    log.lines.some((line) => /^error route copy: a@0 was dropped: .*is no Kafka topic name/.test(line)),
  )
  await bridge.close()
})

test('invalid messages and events that cannot go through become dead letters, as they came and with the reason', async () => {
  const {
    bridge,
    in: source,
    out,
  } = await memoryBridge(`${ROUTE}    deadLetter: { connection: out, topic: dead }\n`)
  await send(source, {
    body: Buffer.from('{"broken'),
    headers: [
      ['x-app', 'y'],
      ['cookie', 'z'],
    ],
    contentType: 'text/plain',
    key: 'k',
  })
  await publish(source, { id: '2', subject: 'no topic', data: { a: 1 } }, { id: '3' })
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  await bridge.close()
  assert.deepEqual(ids(out.messages('t-s')), ['3'])
  const [broken, refused] = out.messages('dead')
  assert.equal(Buffer.from(broken?.body ?? []).toString(), '{"broken')
  assert.equal(broken?.contentType, 'text/plain')
  assert.equal(broken?.key, 'k')
  assert.equal(headerText(broken?.headers ?? [], 'x-app'), 'y')
  assert.equal(headerText(broken?.headers ?? [], 'cookie'), null)
  assert.equal(headerText(broken?.headers ?? [], 'throughline-dead-letter-source'), 'a@0')
  assert.equal(headerText(broken?.headers ?? [], 'throughline-dead-letter-route'), 'copy')
  assert.equal(headerText(refused?.headers ?? [], 'ce_id'), '2')
  assert.equal(Buffer.from(refused?.body ?? []).toString(), '{"a":1}')
  assert.match(
    headerText(refused?.headers ?? [], 'throughline-dead-letter-reason') ?? '',
    /is no Kafka topic name/,
  )
  assert.equal(headerText(refused?.headers ?? [], 'throughline-dead-letter-code'), 'TL_TEMPLATE')
})

test('what the target refuses for good becomes a dead letter, also over the broker it came from', async () => {
  const {
    bridge,
    in: source,
    out,
  } = await memoryBridge(`${ROUTE}    deadLetter: { connection: in, topic: dead }\n`)
  out.failNext(1, new PermanentError('too large for this broker'))
  await publish(source, { id: '1' })
  await eventually(() => assert.equal(source.messages('dead').length, 1))
  await bridge.close()
  assert.match(
    headerText(source.messages('dead')[0]?.headers ?? [], 'throughline-dead-letter-reason') ?? '',
    /too large/,
  )
})

test('a dead letter that cannot be published keeps its event at the source', async () => {
  const {
    bridge,
    in: source,
    out,
  } = await memoryBridge(`${ROUTE}    deadLetter: { connection: out, topic: dead }\n`)
  out.failNext(3, new UnavailableError('away'))
  await publish(source, { subject: 'no topic' })
  await eventually(() => assert.equal(out.messages('dead').length, 1))
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  await bridge.close()
})

test('raw routes pass bytes and headers untouched, whatever they are', async () => {
  const {
    bridge,
    in: source,
    out,
  } = await memoryBridge(
    `  raw:
    from: { connection: in, topics: a, group: g, raw: true }
    to: { connection: out, topic: "{{ message.headers.x-topic }}", raw: true }
`,
  )
  const body = Uint8Array.from({ length: 256 }, (_, index) => index)
  await send(source, {
    body,
    headers: [
      ['x-topic', 'z'],
      ['ce_id', 'not one'],
    ],
    key: body,
  })
  await send(source, { body: null, headers: [['x-topic', 'z']] })
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  await bridge.close()
  const [first, tombstone] = out.messages('z')
  assert.deepEqual(first?.body, body)
  assert.deepEqual(first?.key, body)
  assert.equal(headerText(first?.headers ?? [], 'ce_id'), 'not one')
  assert.equal(tombstone?.body, null)
})

for (const format of ['avro', 'protobuf']) {
  test(`events in ${format} pass a raw route untouched, their context replaced`, () =>
    withSpans(async (spans) => {
      const {
        bridge,
        in: source,
        out,
      } = await memoryBridge(`  raw:
    from: { connection: in, topics: a, group: g, raw: true }
    to: { connection: out, topic: b, raw: true }
`)
      const body = Uint8Array.from({ length: 256 }, (_, index) => 255 - index)
      const contentType = `application/cloudevents+${format}; a="b"`
      const came = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
      await send(source, {
        body,
        contentType,
        headers: [
          ['traceparent', came],
          ['tracestate', 'a=b'],
        ],
      })
      await eventually(() => assert.equal(source.unsettled('g'), 0))
      await bridge.close()
      const [message] = out.messages('b')
      assert.deepEqual(message?.body, body)
      assert.equal(message?.contentType, contentType)
      const [sent] = spans.named('send b')
      const { traceId, spanId } = sent?.spanContext() ?? {}
      assert.equal(traceId, came.split('-')[1])
      assert.deepEqual(
        message?.headers.filter(([name]) => name === 'traceparent'),
        [['traceparent', `00-${traceId}-${spanId}-01`]],
      )
      assert.equal(headerText(message?.headers ?? [], 'tracestate'), 'a=b')
      assert.deepEqual(
        spans.finished().map(({ name, status }) => [name, status.code]),
        [
          ['process a', SpanStatusCode.UNSET],
          ['send b', SpanStatusCode.UNSET],
        ],
      )
    }))
}

test('closing finishes what is in flight, accepts it, and leaves the rest to be delivered again', async () => {
  const { bridge, in: source, out } = await memoryBridge(ROUTE)
  out.stall()
  await publish(source, { id: '1' })
  await eventually(() => assert.equal(out.messages('t-s').length, 1))
  const closing = bridge.close()
  assert.equal(bridge.routes()[0]?.ready, false)
  out.restore()
  await closing
  await bridge.closed
  assert.equal(source.unsettled('g'), 0)
  assert.equal(bridge.routes()[0]?.state, 'closed')
})

test('a key keeps its order while its events fail and are tried again', async () => {
  const { bridge, in: source, out } = await memoryBridge(ROUTE)
  out.failNext(30, new UnavailableError('away'))
  const events = Array.from({ length: 60 }, (_, index) => ({
    id: String(index),
    partitionkey: `k${index % 3}`,
  }))
  await publish(source, ...events)
  await eventually(() => assert.equal(source.unsettled('g'), 0))
  await bridge.close()
  for (const key of ['k0', 'k1', 'k2']) {
    const order = ids(out.messages('t-s').filter((message) => message.key === key)).map(Number)
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
      key,
    )
    assert.equal(order.length, 20)
  }
})

test('a target that can no longer be opened ends the bridge; it makes no dead letters', async () => {
  const {
    bridge,
    log,
    in: source,
    out,
  } = await memoryBridge(`${ROUTE}    deadLetter: { connection: in, topic: dead }\n`)
  await eventually(() => assert.ok(bridge.routes()[0]?.ready))
  out.ban(new PermanentError('another client took this id', { code: 'TL_TAKEN' }))
  await publish(source, { id: '1' }, { id: '2' })
  await assert.rejects(bridge.closed, { code: 'TL_TAKEN' })
  assert.deepEqual(source.messages('dead'), [])
  assert.equal(source.unsettled('g'), 2)
  assert.deepEqual(
    log.lines.filter((line) => line.startsWith('error')),
    ['error route copy: another client took this id'],
  )
})
