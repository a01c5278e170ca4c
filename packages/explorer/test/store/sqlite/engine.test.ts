import assert from 'node:assert/strict'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { DataDirError } from '../../../src/errors.ts'
import { isFull, openSqliteStore } from '../../../src/store/sqlite/engine.ts'
import type { SpanStore } from '../../../src/store/store.ts'
import { message, recordsOf, type SpanSpec, spanId, traceId, zeroUnixMs } from '../../otlp-json.ts'
import { temporaryFolder } from '../../temporary.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

interface Opened {
  readonly store: SpanStore
  readonly dataDir: string
  readonly log: string[]
  readonly clock: { ms: number }
  append(...specs: SpanSpec[]): void
  files(): string[]
  reopen(): SpanStore
}

function open(context: TestContext, retention = { maxAgeMs: 24 * hourMs, maxBytes: 2 ** 31 }): Opened {
  const dataDir = temporaryFolder(context)
  const clock = { ms: zeroUnixMs }
  const log: string[] = []
  const start = () =>
    openSqliteStore({ dataDir, retention, now: () => clock.ms, log: (line) => log.push(line) })
  let store = start()
  context.after(() => store.close())
  return {
    get store() {
      return store
    },
    dataDir,
    log,
    clock,
    append: (...specs) => store.append(recordsOf(specs)),
    files: () =>
      readdirSync(dataDir)
        .filter((name) => /^spans-\d+\.db$/.test(name))
        .sort(),
    reopen() {
      store.close()
      store = start()
      return store
    },
  }
}

const names = (found: readonly { readonly span: { readonly name: string } }[]) =>
  found.map(({ span }) => span.name)
const key = (trace: string, id: string) => ({ traceId: traceId(trace), spanId: spanId(id) })

test('spans are found by trace, id, parent, link and event, over several files and a restart', (context) => {
  const at = open(context)
  at.append({ trace: '1', id: 'a', name: 'root' }, { trace: '1', id: 'b', parent: 'a', name: 'child' })
  at.clock.ms += 2 * hourMs
  at.append(
    { trace: '1', id: 'c', parent: 'a', name: 'late child' },
    message('process', 'kafka', 'orders', {
      trace: '2',
      id: 'd',
      event: 'e-1',
      links: [{ trace: '1', id: 'a' }],
    }),
  )
  assert.equal(at.files().length, 2)
  for (const get of [() => at.store, () => at.reopen()]) {
    const store = get()
    assert.deepEqual(names(store.byTrace(traceId('1'), 10)), ['root', 'child', 'late child'])
    assert.deepEqual(names(store.byTrace(traceId('1'), 2)), ['root', 'child'])
    assert.deepEqual(names(store.bySpan(spanId('c'), null, 10)), ['late child'])
    assert.deepEqual(names(store.bySpan(spanId('c'), traceId('2'), 10)), [])
    assert.deepEqual(names(store.children(key('1', 'a'), 10)), ['child', 'late child'])
    assert.deepEqual(store.linksTo(key('1', 'a'), 10), [key('2', 'd')])
    assert.deepEqual(names(store.byEvent({ id: 'e-1', source: null }, 10)), ['process orders'])
    assert.deepEqual(names(store.byEvent({ id: 'e-1', source: '/test' }, 10)), ['process orders'])
    assert.deepEqual(names(store.byEvent({ id: 'e-1', source: '/other' }, 10)), [])
    assert.equal(store.stats().spanCount, 4)
    assert.deepEqual(store.trace(traceId('2')), {
      startUnixNanos: BigInt(zeroUnixMs) * 1_000_000n,
      namesEvent: true,
    })
    assert.equal(store.trace(traceId('3')), null)
  }
})

test('a span that is exported twice is one span, also when a file and a restart are between', (context) => {
  const at = open(context)
  const span: SpanSpec = { trace: '1', id: 'a', name: 'once', attributes: { n: 1 } }
  at.append(span, span)
  at.append(span)
  assert.equal(at.store.stats().spanCount, 1)
  at.reopen()
  at.append(span)
  at.clock.ms += 2 * hourMs
  at.append(span)
  assert.deepEqual(names(at.store.byTrace(traceId('1'), 10)), ['once'])
})

test('two different spans with one id are both kept', (context) => {
  const at = open(context)
  at.append({ trace: '1', id: 'a', name: 'one' }, { trace: '1', id: 'a', name: 'other' })
  at.append({ trace: '1', id: 'a', name: 'one', service: 'another' })
  assert.deepEqual(names(at.store.bySpan(spanId('a'), traceId('1'), 10)), ['one', 'other', 'one'])
})

test('values of .id attributes, subjects and positions find their traces, newest first', (context) => {
  const at = open(context)
  const order = (trace: string, atMs: number, attributes: Record<string, unknown>) =>
    message('process', 'kafka', 'orders', { trace, id: `${trace}0`, at: atMs, attributes })
  at.append(
    order('1', 0, { 'order.id': 4711, 'cloudevents.event_id': 'e', 'cloudevents.event_subject': 'sub' }),
  )
  at.append(
    order('2', 5, {
      'app.order.id': '4711',
      'messaging.destination.partition.id': '3',
      'messaging.kafka.offset': 42,
    }),
  )
  const search = (value: string, name: string | null = null) => at.store.search({ name, value }, 10)
  assert.deepEqual(search('4711'), [traceId('2'), traceId('1')])
  assert.deepEqual(search('4711', 'order.id'), [traceId('1')])
  assert.deepEqual(search('sub'), [traceId('1')])
  assert.deepEqual(search('orders[3]@42'), [traceId('2')])
  assert.deepEqual(search('471'), [])
})

test('free text is found in whatever case in the newest spans, in attributes and resources', (context) => {
  const at = open(context)
  at.append(
    { trace: '1', id: 'a', attributes: { note: 'Gateway TIMED out' } },
    { trace: '2', id: 'b', resource: { zone: 'Timed-zone' } },
  )
  at.clock.ms += 2 * hourMs
  at.append({ trace: '3', id: 'c', attributes: { note: 'überall' } })
  assert.deepEqual(at.store.scan('timed', null, 100, 10).sort(), [traceId('1'), traceId('2')])
  assert.deepEqual(at.store.scan('überall', null, 100, 10), [traceId('3')])
  assert.deepEqual(at.store.scan('timed', null, 1, 10), [], 'only the newest span was looked at')
  assert.deepEqual(
    at.store.scan('timed', (span) => span.attributes.has('note'), 100, 10),
    [traceId('1')],
  )
})

test('journeys are listed newest first and page by page, each once', (context) => {
  const at = open(context)
  for (let i = 0; i < 25; i++)
    at.append(message('send', 'kafka', 't', { trace: `${i + 1}`, id: '1', at: i, event: `e-${i}` }))
  at.clock.ms += 2 * hourMs
  // The same event is seen again later: it stays where it began.
  at.append(message('process', 'kafka', 't', { trace: '3', id: '2', at: 5_000, event: 'e-2' }))
  const listed: string[] = []
  for (let before: string | null = null; ; ) {
    const rows = at.store.recent(before, 10)
    listed.push(...rows.map((row) => (row.key.kind === 'event' ? row.key.event.id : 'trace')))
    if (rows.length < 10) break
    before = rows.at(-1)?.cursor ?? null
  }
  assert.deepEqual(
    listed,
    Array.from({ length: 25 }, (_, i) => `e-${24 - i}`),
  )
  assert.deepEqual(at.store.recent('not a cursor', 10), [])
})

test('retention drops whole files by age, oldest first', (context) => {
  const at = open(context)
  for (let i = 0; i < 30; i++) {
    at.append({ trace: `${i + 1}`, id: '1', name: `span ${i}` })
    at.clock.ms += hourMs
  }
  assert.equal(at.files().length, 30)
  const dropped = at.store.retain(at.clock.ms)
  assert.equal(dropped, 5)
  assert.equal(at.files().length, 25)
  assert.deepEqual(at.store.byTrace(traceId('5'), 10), [])
  assert.deepEqual(names(at.store.byTrace(traceId('6'), 10)), ['span 5'])
  assert.equal(at.store.stats().oldestUnixMs, zeroUnixMs + 5 * hourMs)
  at.clock.ms += 100 * hourMs
  at.store.retain(at.clock.ms)
  assert.deepEqual(at.files(), [])
  at.append({ trace: 'f', id: '1', name: 'after' })
  assert.deepEqual(names(at.store.byTrace(traceId('f'), 10)), ['after'])
})

test('retention keeps the files together under the size, and never drops the newest', (context) => {
  const maxBytes = 4 * 1024 * 1024
  const at = open(context, { maxAgeMs: 24 * hourMs, maxBytes })
  let n = 0
  for (let i = 0; i < 40; i++) {
    at.append(
      ...Array.from({ length: 200 }, () => ({
        trace: `${++n}`,
        id: '1',
        attributes: { text: 'x'.repeat(700) },
      })),
    )
    at.store.retain(at.clock.ms)
  }
  assert.ok(at.store.stats().bytes <= maxBytes, `${at.store.stats().bytes} bytes are kept`)
  assert.ok(at.store.stats().bytes > maxBytes / 2)
  assert.equal(at.store.byTrace(traceId(`${n}`), 10).length, 1)
  assert.equal(at.store.byTrace(traceId('1'), 10).length, 0)
})

test('a second explorer is refused the folder in a sentence, and gets it when the first has gone', (context) => {
  const at = open(context)
  const again = () =>
    openSqliteStore({ dataDir: at.dataDir, retention: { maxAgeMs: hourMs, maxBytes: 2 ** 30 } })
  assert.throws(
    again,
    (error) =>
      error instanceof DataDirError &&
      error.code === 'TL_DATA_DIR_LOCKED' &&
      error.message.includes(`${at.dataDir} is in use by another explorer (process ${process.pid})`),
  )
  at.append({ trace: '1', id: '1' })
  at.store.close()
  const next = again()
  assert.equal(next.stats().spanCount, 1)
  next.close()
  at.reopen()
})

test('a folder that cannot be made is refused in a sentence', (context) => {
  const file = join(temporaryFolder(context), 'file')
  writeFileSync(file, '')
  // The second one made Node's recursive mkdir turn for ever.
  for (const dataDir of [join(file, 'data'), '/proc/throughline/data']) {
    assert.throws(
      () => openSqliteStore({ dataDir, retention: { maxAgeMs: hourMs, maxBytes: 2 ** 30 } }),
      (error) => error instanceof DataDirError && error.code === 'TL_DATA_DIR_UNUSABLE',
    )
  }
})

for (const [damage, apply] of [
  ['is not a database', (path: string) => writeFileSync(path, 'no database at all'.repeat(1000))],
  ['was cut off', (path: string) => truncateSync(path, 9000)],
  ['is of another version', (path: string) => bumpVersion(path)],
] as const) {
  test(`a file that ${damage} is set aside with a sentence, and the others are read`, (context) => {
    const at = open(context)
    at.append(...Array.from({ length: 300 }, (_, i) => ({ trace: '1', id: `${i + 1}` })))
    at.clock.ms += 2 * hourMs
    at.append({ trace: '2', id: '1', name: 'sound' })
    const path = join(at.dataDir, at.files()[0] ?? '')
    at.store.close()
    apply(path)
    const store = at.reopen()
    assert.equal(at.log.length, 1)
    assert.match(at.log[0] ?? '', /cannot be read .* set aside as .*\.corrupt-\d+ and the explorer goes on/)
    assert.deepEqual(names(store.byTrace(traceId('2'), 10)), ['sound'])
    assert.deepEqual(store.byTrace(traceId('1'), 10), [])
    assert.equal(readdirSync(at.dataDir).filter((name) => name.includes('.corrupt-')).length >= 1, true)
    at.append({ trace: '3', id: '1', name: 'goes on' })
    assert.deepEqual(names(store.byTrace(traceId('3'), 10)), ['goes on'])
  })
}

test('a file that is damaged while it is in use is set aside, and answers go on', (context) => {
  const at = open(context)
  at.append(
    ...Array.from({ length: 2_000 }, (_, i) => ({
      trace: '1',
      id: `${i + 1}`,
      attributes: { text: 'x'.repeat(200) },
    })),
  )
  at.clock.ms += 2 * hourMs
  at.append({ trace: '2', id: '1', name: 'sound' })
  const path = join(at.dataDir, at.files()[0] ?? '')
  at.reopen()
  const bytes = readFileSync(path)
  bytes.fill(0xff, 40_000)
  writeFileSync(path, bytes)
  assert.deepEqual(at.store.byTrace(traceId('1'), 10_000), [])
  assert.match(at.log[0] ?? '', /set aside/)
  assert.deepEqual(names(at.store.byTrace(traceId('2'), 10)), ['sound'])
})

test('what SQLite reports on a full disk is told from other errors', () => {
  const db = new DatabaseSync(':memory:')
  db.exec('PRAGMA max_page_count = 4; CREATE TABLE t (x)')
  assert.throws(
    () => {
      for (let i = 0; i < 10; i++) db.prepare('INSERT INTO t VALUES (zeroblob(4000))').run()
    },
    (error) => isFull(error),
  )
  assert.throws(
    () => db.exec('nonsense'),
    (error) => !isFull(error),
  )
})

function bumpVersion(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 99')
  db.close()
}
