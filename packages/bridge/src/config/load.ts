import { readFile, stat } from 'node:fs/promises'
import { errorMessage } from '@throughline/core'
import type { Config } from './config.ts'
import { ConfigError } from './problem.ts'
import { type Environment, parseConfig } from './read.ts'

const MAX_BYTES = 1 << 20

/**
 * Reads and checks a configuration file. The environment is read now and never again.
 * Throws ConfigError: cannot be read, over 1 MiB, or with everything that is wrong in it.
 */
export async function loadConfig(file: string, environment: Environment = process.env): Promise<Config> {
  return parseConfig(await read(file), file, environment)
}

async function read(file: string): Promise<string> {
  const refuse = (message: string, cause?: unknown) =>
    new ConfigError(file, [{ line: 1, column: 1, path: '', message }], { cause })
  try {
    const { size } = await stat(file)
    if (size > MAX_BYTES) throw refuse(`has ${size} bytes; a configuration may have ${MAX_BYTES}`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw error instanceof ConfigError ? error : refuse(`cannot be read: ${errorMessage(error)}`, error)
  }
}
