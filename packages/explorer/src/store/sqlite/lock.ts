import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataDirError } from '../../errors.ts'

/**
 * Takes the data folder for this process until the returned function is called or the process ends, however it
 * ends: SQLite holds a lock of the operating system, so nothing stale stays behind a `kill -9`.
 * @throws DataDirError `TL_DATA_DIR_LOCKED` when another explorer has it
 */
export function lockDataDir(dataDir: string): () => void {
  const holderFile = join(dataDir, 'explorer.pid')
  const db = new DatabaseSync(join(dataDir, 'explorer.lock'), { timeout: 0 })
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (x); COMMIT')
  } catch (error) {
    db.close()
    throw new DataDirError(
      'TL_DATA_DIR_LOCKED',
      `data folder ${dataDir} is in use by another explorer${holderOf(holderFile)}; stop that one, or choose another folder`,
      { cause: error },
    )
  }
  writeFileSync(holderFile, `${process.pid}\n`)
  return () => {
    if (db.isOpen) db.close()
  }
}

function holderOf(file: string): string {
  try {
    return ` (process ${readFileSync(file, 'utf8').trim()})`
  } catch {
    return ''
  }
}
