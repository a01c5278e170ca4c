import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DataDirError, hasCode, StoreFullError } from '../../errors.ts'
import type { SpanRecord } from '../../otlp/request.ts'
import type { Span } from '../../otlp/span.ts'
import type { JourneyRow, Retention, SpanStore, StoredSpan } from '../store.ts'
import { journeyKeyOf } from './journey-key.ts'
import { lockDataDir } from './lock.ts'
import { openPartition, type Partition } from './partition.ts'

export interface SqliteStoreOptions {
  readonly dataDir: string
  readonly retention: Retention
  /** One sentence about something that the operator should know. */
  readonly log?: (message: string) => void
  readonly now?: () => number
}

const partitionName = /^spans-(\d{13})\.db$/
const minutesMs = 60_000
const dayMs = 24 * 60 * minutesMs

/** Not `mkdirSync`'s `recursive`: where a file system refuses with ENOENT, as /proc does, it never returns (Node 20 to 24). */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  mkdirSync(path)
}

/**
 * The embedded store: SQLite files of one stretch of time each in `dataDir`. A span belongs to the partition in
 * which it was *received*, so a device with a wrong clock makes no partitions of its own, and retention is the
 * deletion of the oldest file.
 * @throws DataDirError when the folder cannot be used or another explorer has it
 */
export function openSqliteStore(options: SqliteStoreOptions): SpanStore {
  const { dataDir, retention, log = () => {}, now = Date.now } = options
  try {
    makeFolder(dataDir)
  } catch (error) {
    throw new DataDirError(
      'TL_DATA_DIR_UNUSABLE',
      `data folder ${dataDir} cannot be made: ${reasonOf(error)}`,
      { cause: error },
    )
  }
  const unlock = lockDataDir(dataDir)
  // About 24 partitions in an age, and about 8 in a full store: what retention drops at once is a small part.
  const partitionMs = Math.min(Math.max(retention.maxAgeMs / 24, minutesMs), dayMs)
  const partitionBytes = retention.maxBytes / 8
  /** Oldest first; the last one takes the spans. */
  let partitions: Partition[] = []

  function setAside(path: string, error: unknown): void {
    const aside = `${path}.corrupt-${now()}`
    for (const suffix of ['', '-wal', '-shm']) {
      try {
        renameSync(`${path}${suffix}`, `${aside}${suffix}`)
      } catch (renameError) {
        if (!hasCode(renameError, 'ENOENT')) throw renameError
      }
    }
    log(
      `${path} cannot be read (${reasonOf(error)}); it was set aside as ${aside} and the explorer goes on without its spans`,
    )
  }

  function open(name: string, createdUnixMs: number): void {
    const path = join(dataDir, name)
    try {
      partitions.push(openPartition(path, createdUnixMs))
    } catch (error) {
      if (isFull(error)) throw new StoreFullError(dataDir, error)
      setAside(path, error)
    }
  }

  function current(): Partition {
    const last = partitions.at(-1)
    const time = now()
    if (last && time - last.createdUnixMs < partitionMs && last.stats().bytes < partitionBytes) return last
    // Never before the last one, whatever the clock does: the order of names is the order of receipt.
    const created = Math.max(time, (last?.createdUnixMs ?? 0) + 1)
    const path = join(dataDir, `spans-${String(created).padStart(13, '0')}.db`)
    const next = openPartition(path, created)
    partitions.push(next)
    try {
      last?.seal()
    } catch (error) {
      log(`${last?.path} could not be sealed (${reasonOf(error)}); its log stays beside it`)
    }
    return next
  }

  /** Newest partition first. */
  function* newestFirst(): Generator<Partition> {
    for (let i = partitions.length - 1; i >= 0; i--) {
      const partition = partitions[i]
      if (partition) yield partition
    }
  }

  /** Asks all partitions; one that cannot be read is set aside, and the others answer. */
  function gather(limit: number, ask: (partition: Partition, limit: number) => StoredSpan[]): StoredSpan[] {
    const found = new Map<string, StoredSpan>()
    for (const stored of each((partition) => ask(partition, limit)).flat()) {
      const identity = `${stored.span.traceId}${stored.span.spanId}${stored.digest}`
      if (found.size < limit && !found.has(identity)) found.set(identity, stored)
    }
    return [...found.values()]
  }

  function each<T>(ask: (partition: Partition) => T): T[] {
    const answers: T[] = []
    for (const partition of [...partitions]) {
      try {
        answers.push(ask(partition))
      } catch (error) {
        if (!isCorrupt(error)) throw error
        drop(partition)
        setAside(partition.path, error)
      }
    }
    return answers
  }

  function drop(partition: Partition): void {
    partition.close()
    partitions = partitions.filter((other) => other !== partition)
  }

  for (const name of readdirSync(dataDir).sort()) {
    const match = partitionName.exec(name)
    if (match) open(name, Number(match[1]))
  }

  return {
    append(records: readonly SpanRecord[]): void {
      if (records.length === 0) return
      for (let attempt = 1; ; attempt++) {
        let partition: Partition | undefined
        try {
          partition = current()
          partition.append(records, now())
          return
        } catch (error) {
          if (isFull(error)) throw new StoreFullError(dataDir, error)
          if (!isCorrupt(error) || !partition || attempt > 1) throw error
          drop(partition)
          setAside(partition.path, error)
        }
      }
    },
    byTrace: (traceId, limit) => gather(limit, (p, n) => p.byTrace(traceId, n)),
    bySpan: (spanId, traceId, limit) => gather(limit, (p, n) => p.bySpan(spanId, traceId, n)),
    children: (parent, limit) => gather(limit, (p, n) => p.children(parent, n)),
    linksTo(target, limit) {
      const keys = each((p) => p.linksTo(target, limit)).flat()
      return [...new Map(keys.map((key) => [`${key.traceId}${key.spanId}`, key])).values()].slice(0, limit)
    },
    byEvent: (event, limit) => gather(limit, (p, n) => p.byEvent(event, n)),
    search(query, limit) {
      const hits = each((p) => p.search(query, limit)).flat()
      hits.sort((a, b) => (a.start < b.start ? 1 : a.start > b.start ? -1 : 0))
      return [...new Set(hits.map(({ traceId }) => traceId))].slice(0, limit)
    },
    scan(text, matches, maxSpans, limit) {
      const found = new Set<string>()
      let left = maxSpans
      for (const partition of newestFirst()) {
        const visit = (traceId: string, span: () => Span) => {
          if (!found.has(traceId) && (matches === null || matches(span()))) found.add(traceId)
          return found.size < limit
        }
        if (left > 0 && found.size < limit) left -= partition.scan(text, left, visit)
      }
      return [...found]
    },
    recent(before, limit) {
      const from = before === null ? { start: 2n ** 63n - 1n, key: '\u{10ffff}' } : cursorOf(before)
      const rows = each((p) => p.journeys(from, limit)).flat()
      rows.sort((a, b) => (a.start < b.start || (a.start === b.start && a.key < b.key) ? 1 : -1))
      // A journey that goes over several partitions is listed once, where it began.
      const first = rows.filter(({ key, start }) =>
        each((p) => p.journeyStart(key)).every((other) => other === null || other >= start),
      )
      const unique = [...new Map(first.map((row) => [row.key, row])).values()].slice(0, limit)
      return unique.map(
        ({ key, start }): JourneyRow => ({
          key: journeyKeyOf(key),
          startUnixNanos: start,
          cursor: textOfCursor(start, key),
        }),
      )
    },
    trace(traceId) {
      const found = each((p) => p.trace(traceId)).filter((row) => row !== null)
      return found.reduce<ReturnType<SpanStore['trace']>>(
        (all, row) => ({
          startUnixNanos:
            all && all.startUnixNanos < row.startUnixNanos ? all.startUnixNanos : row.startUnixNanos,
          namesEvent: row.namesEvent || all?.namesEvent === true,
        }),
        null,
      )
    },
    retain(nowUnixMs) {
      let dropped = 0
      for (;;) {
        const [oldest, next] = partitions
        if (!oldest) break
        // The age of a partition's newest span is at most that of the next partition's beginning.
        const newestUnixMs = next?.createdUnixMs ?? oldest.createdUnixMs + partitionMs
        const tooOld = newestUnixMs < nowUnixMs - retention.maxAgeMs
        const tooMuch = partitions.length > 1 && bytesOf(partitions) > retention.maxBytes
        if (!tooOld && !tooMuch) break
        drop(oldest)
        for (const suffix of ['', '-wal', '-shm']) rmSync(`${oldest.path}${suffix}`, { force: true })
        dropped += 1
      }
      return dropped
    },
    stats() {
      const all = partitions.map((p) => p.stats())
      return {
        spanCount: all.reduce((sum, { spanCount }) => sum + spanCount, 0),
        bytes: bytesOf(partitions),
        partitions: partitions.length,
        oldestUnixMs: all.find(({ oldestUnixMs }) => oldestUnixMs !== null)?.oldestUnixMs ?? null,
      }
    },
    close() {
      for (const partition of partitions) partition.close()
      partitions = []
      unlock()
    },
  }
}

const bytesOf = (partitions: readonly Partition[]): number =>
  partitions.reduce((sum, partition) => sum + partition.stats().bytes, 0)

const textOfCursor = (start: bigint, key: string): string =>
  Buffer.from(`${start} ${key}`, 'utf8').toString('base64url')

/** A cursor that is none of ours stands for the beginning of time: the list ends there. */
function cursorOf(text: string): { start: bigint; key: string } {
  const match = /^(\d{1,19}) (.*)$/s.exec(Buffer.from(text, 'base64url').toString('utf8'))
  return match
    ? { start: BigInt.asIntN(64, BigInt(match[1] ?? 0)), key: match[2] ?? '' }
    : { start: 0n, key: '' }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** SQLite's primary result code, the low byte of its extended one. */
function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : 0
}

const SQLITE_IOERR = 10
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_CANTOPEN = 14
const SQLITE_NOTADB = 26

/** No room: also what a failing write and a file that cannot be made report on a full disk. */
export const isFull = (error: unknown): boolean =>
  [SQLITE_FULL, SQLITE_IOERR, SQLITE_CANTOPEN].includes(sqliteCode(error))
const isCorrupt = (error: unknown): boolean => [SQLITE_CORRUPT, SQLITE_NOTADB].includes(sqliteCode(error))
