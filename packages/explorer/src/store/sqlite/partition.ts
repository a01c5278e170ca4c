import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { SpanRecord } from '../../otlp/request.ts'
import { partitionReader } from './reader.ts'
import { schema, schemaVersion } from './schema.ts'
import { partitionWriter } from './writer.ts'

export type Partition = ReturnType<typeof openPartition>

/**
 * One file of the store: spans that were received in one stretch of time, with all indexes to them.
 * @throws Error of SQLite when the file is not a database, or is one of another schema version
 */
export function openPartition(path: string, createdUnixMs: number) {
  const db = openDatabase(path)
  const reader = partitionReader(db)
  const write = partitionWriter(db)
  let { spanCount, oldestUnixMs } = reader.counts()
  return {
    ...reader,
    path,
    createdUnixMs,
    /** All records in one transaction; those that are here already are left out. */
    append(records: readonly SpanRecord[], receivedUnixMs: number): void {
      const added = write(records, receivedUnixMs)
      spanCount += added
      if (added > 0) oldestUnixMs ??= receivedUnixMs
    },
    stats: () => ({ spanCount, oldestUnixMs, bytes: sizeOf(path) + sizeOf(`${path}-wal`) }),
    /** Moves the log into the file: done when a partition takes no more spans. */
    seal(): void {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    },
    close: () => db.close(),
  }
}

function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  try {
    // In WAL mode what is committed survives the end of the process; NORMAL leaves out only the fsync of each
    // commit, which a loss of power would need.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384')
    const version = db.prepare('PRAGMA user_version').get()?.user_version
    if (version === 0) db.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`)
    else if (version !== schemaVersion)
      throw new Error(`schema version is ${version}, this explorer reads ${schemaVersion}`)
    // Goes to the end of every table now, so that a file that was cut off is found at start and not by a query.
    for (const table of ['span', 'trace', 'term', 'origin']) db.prepare(`SELECT max(id) FROM ${table}`).get()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
