import { isUtf8 } from 'node:buffer'
import { fstatSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { TooLargeError } from '@throughline/core'
import { CommandError, exitCodes } from '../failure.ts'
import { isJson } from '../json.ts'

/** What is sent as data, and the media type that was guessed for it. */
export interface Data {
  readonly bytes: Uint8Array
  readonly guessedType: string
}

/** No broker takes as much; what goes on beyond it is an endless stream. */
export const MAX_DATA_BYTES = 64 * 1024 * 1024

/**
 * The data that `--data` names: a text, `@file`, or `-` for standard input; without it standard input where it is a pipe
 * or a file. Undefined for none. Throws CommandError for a file that cannot be read, TooLargeError.
 */
export async function readData(given: string | undefined): Promise<Data | undefined> {
  if (given === undefined) return isPiped() ? guessed(await readInput()) : undefined
  if (given === '-') return guessed(await readInput())
  if (!given.startsWith('@')) return guessed(Buffer.from(given))
  const file = given.slice(1)
  return guessed(await readFile(file), typesByName[extname(file).toLowerCase()])
}

/** A terminal, /dev/null and a supervisor's socket are nobody's data. */
function isPiped(): boolean {
  try {
    const input = fstatSync(0)
    return input.isFIFO() || input.isFile()
  } catch {
    return false
  }
}

async function readInput(): Promise<Uint8Array> {
  return collected(process.stdin)
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path)
    return await collected(file.createReadStream({ autoClose: false }))
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** Throws CommandError for a file that cannot be read; any other error is given back. */
export function unreadable(path: string, error: unknown): unknown {
  const isSystem = error instanceof Error && 'syscall' in error
  if (!isSystem) return error
  return new CommandError('TL_BAD_FILE', `${path} cannot be read: ${error.message}`, exitCodes.usage)
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.byteLength
    if (size > MAX_DATA_BYTES) throw new TooLargeError(MAX_DATA_BYTES)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const typesByName: Readonly<Record<string, string>> = {
  '.cbor': 'application/cbor',
  '.csv': 'text/csv',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.txt': 'text/plain',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
}

function guessed(bytes: Uint8Array, byName?: string): Data {
  return { bytes, guessedType: byName ?? typeOf(bytes) }
}

function typeOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) return 'application/octet-stream'
  return isJson(Buffer.from(bytes).toString()) ? 'application/json' : 'text/plain'
}
